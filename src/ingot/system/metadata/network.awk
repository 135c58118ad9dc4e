# Turns cloud-init's network-config (version 1 or 2, flattened by yaml.awk) into the lines that
# /usr/lib/ingot/network understands. `cards` holds NAME=MAC of every card there is. A card of another
# name than ours is found by its MAC address, else by its place among those that are configured.

function fail(why) { print "network-config: " why; failed = 1; exit 1 }

# card_of ID: the machine's name of a card.
function card_of(id,    found) {
  if (id in mac && (tolower(mac[id]) in by_mac)) return by_mac[tolower(mac[id])]
  if (id in mac) fail("no network card has the address " mac[id])
  if (id in present) return id
  found = "eth" (place[id] - 1)
  if (!(found in present)) fail("there is no network card for " id)
  return found
}

function add(id, kind, value) { lines[id] = lines[id] kind " " value " \001\n" }

function seen(id) { if (!(id in place)) { place[id] = ++count; order[count] = id } }

# bits MASK: the prefix length of 255.255.255.0.
function bits(mask,    parts, part, total, value) {
  split(mask, parts, ".")
  for (part = 1; part <= 4; part++)
    for (value = parts[part] + 0; value > 0; value = value * 2 % 256) total++
  return total
}

BEGIN {
  FS = "\t"
  wanted = split(cards, words, " ")
  for (word = 1; word <= wanted; word++) {
    split(words[word], pair, "=")
    present[pair[1]] = 1
    by_mac[tolower(pair[2])] = pair[1]
  }
}
{
  path = $1
  sub(/^\/network\//, "/", path)
  levels = split(substr(path, 2), at, "/")
  value = $2
}
at[1] == "version" { version = value; next }
at[1] == "ethernets" {
  id = at[2]
  seen(id)
  if (at[3] == "match" && at[4] == "macaddress") mac[id] = value
  else if (at[3] == "dhcp4" && value ~ /^(true|yes|on)$/) add(id, "dhcp", "-")
  else if (at[3] == "dhcp6" && value ~ /^(true|yes|on)$/) add(id, "dhcp6", "-")
  else if (at[3] == "accept-ra" && value ~ /^(false|no|off)$/) add(id, "ipv6", "manual")
  else if (at[3] == "addresses") add(id, "address", value)
  else if (at[3] ~ /^gateway[46]$/) add(id, "gateway", value)
  else if (at[3] == "mtu") add(id, "mtu", value)
  else if (at[3] == "nameservers" && at[4] == "addresses") servers = servers "dns " value "\n"
  else if (at[3] == "nameservers" && at[4] == "search") servers = servers "search " value "\n"
  else if (at[3] == "routes" && at[5] == "to") to[id, at[4]] = value
  else if (at[3] == "routes" && at[5] == "via") {
    if (to[id, at[4]] !~ /^(default|0\.0\.0\.0\/0|::\/0)$/) fail("routes other than the default one")
    add(id, "gateway", value)
  }
  next
}
at[1] == "config" && version == 1 {
  item = at[2]
  if (at[3] == "type") {
    type[item] = value
    if (value !~ /^(physical|nameserver)$/) fail("the type " value)
  } else if (at[3] == "name") { name[item] = value; seen(value) }
  else if (at[3] == "mac_address") mac[name[item]] = value
  else if (at[3] == "mtu") add(name[item], "mtu", value)
  else if (at[3] == "address") servers = servers "dns " value "\n"
  else if (at[3] == "search") servers = servers "search " value "\n"
  else if (at[3] == "subnets") {
    subnet = item SUBSEP at[4]
    if (at[5] == "type" && value ~ /^dhcp4?$/) add(name[item], "dhcp", "-")
    else if (at[5] == "type" && value ~ /^(dhcp6|ipv6_dhcpv6-stateful)$/) add(name[item], "dhcp6", "-")
    else if (at[5] == "address") {
      subnets[++subnet_count] = subnet
      address[subnet] = value
      owner[subnet] = name[item]
    } else if (at[5] == "netmask") mask[subnet] = value
    else if (at[5] == "gateway") gateway[subnet] = value
    else if (at[5] == "dns_nameservers") servers = servers "dns " value "\n"
    else if (at[5] == "dns_search") servers = servers "search " value "\n"
  }
  next
}
at[1] ~ /^(bonds|bridges|vlans|wifis|tunnels|vrfs)$/ { fail(at[1] " are not understood") }
END {
  if (failed) exit 1
  for (number = 1; number <= subnet_count; number++) {
    subnet = subnets[number]
    value = address[subnet]
    if (value !~ /\//) value = value "/" (subnet in mask ? bits(mask[subnet]) : value ~ /:/ ? 64 : 24)
    add(owner[subnet], "address", value)
    if (subnet in gateway) add(owner[subnet], "gateway", gateway[subnet])
  }
  for (number = 1; number <= count; number++) {
    id = order[number]
    found = card_of(id)
    print "up - " found
    text = lines[id]
    gsub("\001", found, text)
    printf "%s", text
  }
  printf "%s", servers
}
