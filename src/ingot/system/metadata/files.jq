# LinuxKit's tree of files, as lines of: kind, mode, path, and the content in base64.
def mode($usual):
  (.perm // $usual) | tostring
  | if test("^0?[0-7]{3}$") then . else error("\"\(.)\" is no mode such as 0644") end;

def files($above):
  if type != "object" then error("\($above) must be an object of files") else . end
  | to_entries[]
  | "\($above)\(.key)" as $path
  | if .key | test("^[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*$") then .value
    else error("\"\($path)\" is no name for a file") end
  | if type != "object" then error("\($path) must have content or entries") else . end
  | if has("entries") then
      "directory \(mode("0755")) \($path)", (.entries | files("\($path)/"))
    elif (.content | type) == "string" then
      "file \(mode("0644")) \($path) \(.content | @base64)"
    else
      error("\($path) must have content or entries")
    end;

files("")
