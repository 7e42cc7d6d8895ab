"""The emulator's few pages, as replies. Plain HTML and a stylesheet: no script, nothing from elsewhere."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from string import Template

from emulator.wire import Reply

STYLESHEET = "/assets/sign-in.css"
MAILBOX_STYLESHEET = "/assets/mailbox.css"
_HTML = ("Content-Type", "text/html; charset=utf-8")

Links = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Form:
    """What every form of the sign-in pages has.

    `return_origin` is where its answer may redirect to: a browser applies form-action to that hop too. `links` are
    pairs of address and words. `rules` says what a password has to be.
    """

    action: str
    return_origin: str
    csrf: str
    email: str = ""
    error: str = ""
    notice: str = ""
    rules: str = ""
    links: Links = ()


def sign_in(form: Form) -> Reply:
    return _form_page("Sign in", "sign_in.html", form)


def new_password(form: Form, *, session: str) -> Reply:
    return _form_page("Choose a password", "new_password.html", form, session=session)


def sign_up(form: Form, *, more: Mapping[str, tuple[str, str]]) -> Reply:
    """`more` are the attributes to be asked for: their names, each with its label and what was typed."""
    fields = (
        render(
            "text_field.html",
            {"name": name, "label": label, "value": value, "autocomplete": name.replace("_", "-")},
        )
        for name, (label, value) in more.items()
    )
    return _form_page("Sign up", "sign_up.html", form, raw={"more": "".join(fields)})


def confirm(form: Form, *, resend: str) -> Reply:
    return _form_page("Confirm your address", "confirm.html", form, resend=resend)


def forgot(form: Form) -> Reply:
    return _form_page("Forgotten password", "forgot.html", form)


def reset(form: Form) -> Reply:
    return _form_page("Choose another password", "reset.html", form)


def error(message: str) -> Reply:
    return _page("Something is not right", render("error.html", {"message": message}), status=400)


def redirect(location: str) -> Reply:
    headers = (("Location", location), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
    return Reply(302, b"", headers)


def stylesheet(path: str) -> Reply:
    """One of the two, by its address."""
    text = read_file(path.rpartition("/")[2])
    return Reply(200, text.encode(), (("Content-Type", "text/css; charset=utf-8"),))


def _form_page(title: str, name: str, form: Form, *, raw: Mapping[str, str] | None = None, **values: str) -> Reply:
    """`raw` is HTML already."""
    common = {"action": form.action, "csrf": form.csrf, "email": form.email, "rules": form.rules}
    invalid = "true" if form.error else "false"
    content = render(name, {**common, **values, "invalid": invalid}, raw=raw) + _links(form.links)
    return _page(title, content, error=form.error, notice=form.notice, form_action=form.return_origin)


def _links(links: Links) -> str:
    if not links:
        return ""
    items = (f'<li><a href="{html.escape(href)}">{html.escape(words)}</a></li>' for href, words in links)
    return Template(read_file("links.html")).substitute(items="\n".join(items))


def _page(
    title: str, content: str, *, error: str = "", notice: str = "", form_action: str = "", status: int = 200
) -> Reply:
    text = Template(read_file("layout.html")).substitute(
        title=html.escape(title),
        marked="Error: " if error else "",
        stylesheet=STYLESHEET,
        notice=render("notice.html", {"notice": notice}) if notice else "",
        summary=render("error_summary.html", {"error": error}) if error else "",
        content=content,
    )
    return page_reply(text, status=400 if error else status, form_action=form_action)


def page_reply(text: str, *, status: int = 200, form_action: str = "") -> Reply:
    """A page that may load nothing but its stylesheet, be framed by nobody and be kept nowhere."""
    policy = (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {form_action}".rstrip()
    )
    security = (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )
    return Reply(status, text.encode(), (_HTML, *security))


def render(template: str, values: Mapping[str, str], *, raw: Mapping[str, str] | None = None) -> str:
    """`values` are escaped; `raw` is HTML already."""
    escaped = {key: html.escape(value) for key, value in values.items()}
    return Template(read_file(template)).substitute({**escaped, **(raw or {})})


@cache
def read_file(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
