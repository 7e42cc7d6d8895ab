"""Shows the mailbox: `/mailbox` for people; `/mailbox.json`, or `/mailbox` with a JSON Accept header, for programs.

A mail's HTML is a page of its own, in a frame that runs no script and loads nothing.
"""

import html
import re
import time
from dataclasses import dataclass
from urllib.parse import urlencode

from emulator.cognito.mailbox import Mail, Mailbox
from emulator.hosted_ui import pages
from emulator.wire import Incoming, Reply, json_reply

_PATH = "/mailbox"
HTML_PATH = "/mailbox/html"
_ADDRESS = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)]")


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

    async def frame(self, incoming: Incoming) -> Reply:
        """The HTML of the mail with the id `mail`, for the frame of its page."""
        mail = self.mailbox.find(incoming.query().get("mail", ""))
        return pages.mail_frame(mail.html) if mail and mail.html else pages.error("The mail does not exist.")


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
    values = {"subject": mail.subject, "to": mail.to, "sender": mail.sender, "others": _address_url(mail.to)}
    raw = {"content": _content(mail), "message_id": ""}
    if mail.message_id:
        raw["message_id"] = pages.render("mail_id.html", {"message_id": mail.message_id})
    return _page(mail.subject, pages.render("mail.html", {**values, **_moment(mail)}, raw=raw), framed=bool(mail.html))


def _content(mail: Mail) -> str:
    """The mail's HTML in a frame and its text below, or only its text."""
    text = _with_links(mail.body)
    if not mail.html:
        return pages.render("mail_text.html", {}, raw={"text": text})
    source = f"{HTML_PATH}?{urlencode({'mail': mail.id})}"
    return pages.render("mail_html.html", {"source": source}, raw={"text": text})


def _with_links(text: str) -> str:
    """Escapes the text, and makes links of the web addresses in it."""
    parts, end = [], 0
    for found in _ADDRESS.finditer(text):
        address = html.escape(found[0])
        parts += [html.escape(text[end : found.start()]), f'<a href="{address}">{address}</a>']
        end = found.end()
    return "".join([*parts, html.escape(text[end:])])


def _address_url(address: str) -> str:
    return f"{_PATH}?{urlencode({'to': address})}"


def _moment(mail: Mail) -> dict[str, str]:
    sent = time.gmtime(mail.sent_at)
    return {"moment": time.strftime("%Y-%m-%dT%H:%M:%SZ", sent), "when": time.strftime("%d %b, %H:%M:%S UTC", sent)}


def _page(title: str, content: str, *, framed: bool = False) -> Reply:
    raw = {"content": content, "brand": pages.brand()}
    values = {"title": title, "stylesheet": pages.MAILBOX_STYLESHEET}
    return pages.page_reply(pages.render("mailbox.html", values, raw=raw), framed=framed)
