"""What `manage.py help` says of this project's own commands: a line each, in groups. Needs no settings."""

from __future__ import annotations

from collections.abc import Mapping

GROUPS: Mapping[str, Mapping[str, str]] = {
    "Try it here": {
        "demo": "runs everything on this machine: emulator, people, rows, worker, portal",
        "emulator": "runs the emulator alone, with the demo's stack",
        "demo_read": "shows, twenty times a second, whether somebody's credentials still read",
        "demo_prepare": "prepares the demo's database; `demo` runs it",
    },
    "Tenants and members": {
        "tenant": "lists, shows, creates, imports, changes, suspends and closes tenants",
        "member": "lists, invites, adds, changes and removes members and operators",
        "break_glass": "prints a link to the operators' pages for when Cognito is down",
    },
    "Programs that run by themselves": {
        "provision": "makes Cognito match the members; with --watch for as long as it runs",
        "reconcile": "compares the whole user pool with the members, and repairs it",
        "closing": "exports and purges tenants that are being closed",
    },
    "Audit trail": {
        "verify_audit": "finds entries that were changed, removed or moved",
        "export_audit": "writes the trail as JSON Lines",
        "shorten_audit": "moves old entries from the database into a file",
    },
    "Deploying": {
        "stack_env": "prints the settings of a deployed stack",
        "migrate": "brings the database up to date",
        "after_deploy": "says what a deployment took back that the worker or the template needs",
    },
}


def command_help() -> str:
    """For people, as `manage.py help` prints it before Django's own list."""
    lines = ["manage.py COMMAND [options]; manage.py COMMAND --help says more, and docs/commands.md all of it.", ""]
    for group, commands in GROUPS.items():
        lines.append(f"{group}:")
        lines += [f"  {name:<14} {says}" for name, says in commands.items()]
        lines.append("")
    return "\n".join(lines)
