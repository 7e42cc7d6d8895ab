"""Shows the mailbox: `/mailbox` for people; `/mailbox.json`, or `/mailbox` with a JSON Accept header, for programs."""

import time
from dataclasses import dataclass
from urllib.parse import urlencode

from emulator.cognito.mailbox import Mail, Mailbox
from emulator.hosted_ui import pages
from emulator.wire import Incoming, Reply, json_reply

_PATH = "/mailbox"


@dataclass
class MailboxPages:
    mailbox: Mailbox

    async def show(self, incoming: Incoming) -> Reply:
        """Shows all mails, those to the address `to`, or the one with the id `mail`. Newest first."""
        query = incoming.query()
        if "application/json" in incoming.headers.get("accept", ""):
            return await self.as_json(incoming)
        if "mail" in query:
            mail = self.mailbox.find(query["mail"])
            return _mail_page(mail) if mail else pages.error("The mail does not exist.")
        return _list(self.mailbox.newest_first(to=query.get("to", "")), query.get("to", ""))

    async def as_json(self, incoming: Incoming) -> Reply:
        mails = self.mailbox.newest_first(to=incoming.query().get("to", ""))
        answer = {"mails": [mail.as_json() for mail in mails]}
        return json_reply(answer, content_type="application/json").with_headers(("Cache-Control", "no-store"))


def _list(mails: list[Mail], to: str) -> Reply:
    title = f"Mail to {to}" if to else "All mail"
    entries = "\n".join(_entry(mail) for mail in mails)
    shown = f'<ol class="mails">\n{entries}</ol>' if mails else '<p class="empty">Nothing has been mailed yet.</p>'
    return _page(title, pages.render("mail_list.html", {"title": title, "to": to}, raw={"mails": shown}))


def _entry(mail: Mail) -> str:
    href = f"{_PATH}?{urlencode({'mail': mail.id})}"
    values = {"href": href, "subject": mail.subject, "to": mail.to, "others": _address_url(mail.to)}
    return pages.render("mail_entry.html", {**values, **_moment(mail)})


def _mail_page(mail: Mail) -> Reply:
    values = {"subject": mail.subject, "to": mail.to, "sender": mail.sender, "body": mail.body}
    return _page(mail.subject, pages.render("mail.html", {**values, "others": _address_url(mail.to), **_moment(mail)}))


def _address_url(address: str) -> str:
    return f"{_PATH}?{urlencode({'to': address})}"


def _moment(mail: Mail) -> dict[str, str]:
    sent = time.gmtime(mail.sent_at)
    return {"moment": time.strftime("%Y-%m-%dT%H:%M:%SZ", sent), "when": time.strftime("%d %b, %H:%M:%S UTC", sent)}


def _page(title: str, content: str) -> Reply:
    raw = {"content": content}
    values = {"title": title, "stylesheet": pages.MAILBOX_STYLESHEET}
    return pages.page_reply(pages.render("mailbox.html", values, raw=raw))
