"""The table of the `ingot` command's verbs: where each lives and the panel its help shows it in.

Adding a command is adding a row here and a file that defines the click command: in `objects/` if
it moves or shows objects, in `buckets/` if it is about buckets or settings, in `admin/` if it is
about those who use them, else beside this one.
"""

from __future__ import annotations

from typing import NamedTuple


class CommandRow(NamedTuple):
    """One verb: `target` is `module:attribute`, imported only when the verb is used."""

    name: str
    panel: str
    target: str
    summary: str


APPLIANCES = "Appliances"
STORE = "Store"
OBJECTS = "Objects"

COMMANDS: tuple[CommandRow, ...] = (
    CommandRow("build", APPLIANCES, "build:build", "Build an appliance from its YAML."),
    CommandRow("validate", APPLIANCES, "validate:validate", "Check appliance files."),
    CommandRow("lock", APPLIANCES, "lock:lock", "Pin images and packages of an appliance."),
    CommandRow("pkg", APPLIANCES, "pkg:pkg", "Make container images of components."),
    CommandRow("cache", APPLIANCES, "cache:cache", "Keep container images for builds."),
    CommandRow("inspect", APPLIANCES, "inspect:inspect", "Show what is inside an appliance."),
    CommandRow("vulns", APPLIANCES, "vulns:vulns", "Look an appliance up in advisory files."),
    CommandRow(
        "capabilities",
        APPLIANCES,
        "capabilities:capabilities",
        "Find the capabilities that a service needs.",
    ),
    CommandRow("compare", APPLIANCES, "compare:compare", "Show what changed between builds."),
    CommandRow("run", APPLIANCES, "run:run", "Boot a built appliance as a machine."),
    CommandRow("start", APPLIANCES, "start:start", "Start stopped machines again."),
    CommandRow("ps", APPLIANCES, "ps:ps", "List machines."),
    CommandRow("stop", APPLIANCES, "stop:stop", "Stop machines through their guest."),
    CommandRow("kill", APPLIANCES, "kill:kill", "End machines at once."),
    CommandRow("wait", APPLIANCES, "wait:wait", "Wait until machines are ready, or stopped."),
    CommandRow("port", APPLIANCES, "port:port", "Print where published ports answer."),
    CommandRow("stats", APPLIANCES, "stats:stats", "Show what machines use of the host."),
    CommandRow("snapshot", APPLIANCES, "snapshot:snapshot", "Keep moments of running machines."),
    CommandRow("rm-machine", APPLIANCES, "rm_machine:rm_machine", "Remove a stopped machine."),
    CommandRow("logs", APPLIANCES, "logs:logs", "Print a machine's console log."),
    CommandRow("console", APPLIANCES, "console:console", "Attach to a machine's serial console."),
    CommandRow("exec", APPLIANCES, "exec_:exec_", "Run a command inside a machine's service."),
    CommandRow("server", STORE, "server:server", "Run the S3 server."),
    CommandRow("admin", STORE, "admin.admin:admin", "Administer a service: users and policies."),
    CommandRow("alias", OBJECTS, "alias:alias", "Keep names of S3 endpoints and their keys."),
    CommandRow("ls", OBJECTS, "objects.ls:ls", "List buckets and objects."),
    CommandRow("mb", OBJECTS, "buckets.mb:mb", "Make a bucket."),
    CommandRow("rb", OBJECTS, "buckets.rb:rb", "Remove a bucket."),
    CommandRow("cp", OBJECTS, "objects.cp:cp", "Copy objects and files."),
    CommandRow("mv", OBJECTS, "objects.mv:mv", "Move objects and files."),
    CommandRow("get", OBJECTS, "objects.get:get", "Copy one object to a file."),
    CommandRow("put", OBJECTS, "objects.put:put", "Copy one file to an object."),
    CommandRow("od", OBJECTS, "objects.od:od", "Tell how fast a single stream is."),
    CommandRow("cat", OBJECTS, "objects.cat:cat", "Print objects."),
    CommandRow("head", OBJECTS, "objects.head:head", "Print the first lines of objects."),
    CommandRow("pipe", OBJECTS, "objects.pipe:pipe", "Store standard input as an object."),
    CommandRow("rm", OBJECTS, "objects.rm:rm", "Remove objects."),
    CommandRow("undo", OBJECTS, "objects.undo:undo", "Undo the last changes of objects."),
    CommandRow("stat", OBJECTS, "objects.stat:stat", "Show what is known of an object or bucket."),
    CommandRow("du", OBJECTS, "objects.du:du", "Count objects and add up their sizes."),
    CommandRow("tree", OBJECTS, "objects.tree:tree", "Draw folders as a tree."),
    CommandRow("find", OBJECTS, "objects.find:find", "Find objects by name, size and age."),
    CommandRow("diff", OBJECTS, "objects.diff:diff", "Tell how two trees differ."),
    CommandRow(
        "share", OBJECTS, "objects.share:share", "Make links that anyone may use for a while."
    ),
    CommandRow("sql", OBJECTS, "objects.sql:sql", "Query objects where they are."),
    CommandRow("tag", OBJECTS, "buckets.tag:tag", "Keep tags of objects and buckets."),
    CommandRow("version", OBJECTS, "buckets.version:version", "Keep versions of objects."),
    CommandRow(
        "retention", OBJECTS, "buckets.retention:retention", "Say until when objects must stay."
    ),
    CommandRow(
        "legalhold", OBJECTS, "buckets.legalhold:legalhold", "Hold objects until further notice."
    ),
    CommandRow("ilm", OBJECTS, "buckets.ilm:ilm", "Let objects expire and move by rules."),
    CommandRow(
        "anonymous",
        OBJECTS,
        "buckets.anonymous:anonymous",
        "Say what anybody may do, without keys.",
    ),
    CommandRow("quota", OBJECTS, "buckets.quota:quota", "Limit how much buckets may hold."),
    CommandRow("cors", OBJECTS, "buckets.cors:cors", "Say what pages of other origins may do."),
    CommandRow("encrypt", OBJECTS, "buckets.encrypt:encrypt", "Say how objects are encrypted."),
    CommandRow("event", OBJECTS, "buckets.event:event", "Say which events are told to whom."),
    CommandRow(
        "replicate", OBJECTS, "buckets.replicate:replicate", "Let a service copy to other buckets."
    ),
    CommandRow("watch", OBJECTS, "objects.watch:watch", "Print what happens to objects."),
    CommandRow("ping", OBJECTS, "ping:ping", "Tell how fast a service answers."),
    CommandRow("ready", OBJECTS, "ready:ready", "Tell whether a service can serve."),
    CommandRow(
        "mirror", OBJECTS, "objects.mirror:mirror", "Make one tree like another, and keep it so."
    ),
    CommandRow(
        "completion", OBJECTS, "completion:completion", "Print a shell's completion script."
    ),
)

# What users of mc know: their habits are understood there, and the words are mc's.
SHARED_WITH_MC: tuple[CommandRow, ...] = tuple(
    row for row in COMMANDS if row.panel == OBJECTS or row.name == "admin"
)
