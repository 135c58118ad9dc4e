# Flattens the YAML that config drives use: a line PATH<tab>VALUE for each scalar, `/` between keys
# and numbers of list items. Blocks, lists, flow lists and mappings, quotes, comments; whatever else
# YAML has (anchors, tags, text blocks) ends it with exit code 1 and a line that says so.

function fail(why) { print "line " NR ": " why > "/dev/stderr"; failed = 1; exit 1 }

function trimmed(text) { sub(/^[ \t]+/, "", text); sub(/[ \t]+$/, "", text); return text }

# uncommented LINE: a comment begins the line or follows a blank, outside of quotes.
function uncommented(line,    place, letter, quote) {
  for (place = 1; place <= length(line); place++) {
    letter = substr(line, place, 1)
    if (quote) { if (letter == quote) quote = "" }
    else if (letter ~ /["']/) quote = letter
    else if (letter == "#" && (place == 1 || substr(line, place - 1, 1) == " "))
      return substr(line, 1, place - 1)
  }
  return line
}

# unquoted TEXT: the value of a scalar.
function unquoted(text) {
  text = trimmed(text)
  if (text ~ /^".*"$/ || text ~ /^'.*'$/) return substr(text, 2, length(text) - 2)
  if (text ~ /^[&*!|>%@`"']/) fail("this form of YAML is not understood: " text)
  return text
}

# emit PATH TEXT: a scalar, or a flow list or mapping, which may hold others.
function emit(path, text,    body, depth, start, place, letter, number, key) {
  text = trimmed(text)
  if (text !~ /^[[{].*[]}]$/) { print path "\t" unquoted(text); return }
  body = substr(text, 2, length(text) - 2) ","
  if (trimmed(body) == ",") return
  start = 1
  for (place = 1; place <= length(body); place++) {
    letter = substr(body, place, 1)
    if (letter ~ /[[{]/) depth++
    if (letter ~ /[]}]/) depth--
    if (letter != "," || depth) continue
    key = trimmed(substr(body, start, place - start))
    start = place + 1
    if (text ~ /^\[/) { emit(path "/" number++, key); continue }
    if (!match(key, /: /)) fail("a mapping needs `key: value`")
    emit(path "/" unquoted(substr(key, 1, RSTART - 1)), substr(key, RSTART + 2))
  }
}

# keyed COLUMN TEXT: `key: value`, or `key:` before what stands deeper.
function keyed(column, text,    key) {
  while (top && (indents[top] > column || indents[top] == column && kinds[top] == "key")) top--
  while (top && indents[top] >= column) top--
  if (match(text, /^("[^"]*"|'[^']*'|[^"'{[][^:]*):([ \t]|$)/)) {
    key = substr(text, 1, RLENGTH)
    sub(/:[ \t]*$/, "", key)
    text = trimmed(substr(text, RLENGTH + 1))
    key = paths[top] "/" unquoted(key)
    if (text == "") { top++; indents[top] = column; kinds[top] = "key"; paths[top] = key; return }
    emit(key, text)
    return
  }
  fail("neither `key: value` nor `- item`")
}

/^---/ || /^\.\.\./ { next }
{
  line = $0
  sub(/\r$/, "", line)
  if (line ~ /\t/ && line ~ /^ *\t/) fail("a tab indents this line")
  line = uncommented(line)
  if (line ~ /^ *$/) next
  match(line, /^ */)
  column = RLENGTH
  text = substr(line, column + 1)
  while (text ~ /^-([ ]|$)/) {
    while (top && (indents[top] > column || indents[top] == column && kinds[top] == "item")) top--
    paths[top + 1] = paths[top] "/" (counts[paths[top]]++ + 0)
    top++
    indents[top] = column
    kinds[top] = "item"
    match(text, /^-[ ]*/)
    column += RLENGTH
    text = substr(text, RLENGTH + 1)
    if (text == "") next
  }
  if (kinds[top] == "item" && indents[top] < column &&
      text !~ /^("[^"]*"|'[^']*'|[^"'{[][^:]*):([ \t]|$)/) { emit(paths[top], text); next }
  keyed(column, text)
}
END { if (failed) exit 1 }
