"""Renders the emulator's pages. They are plain HTML with one stylesheet: no scripts, nothing from other hosts."""

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
    """The values that every form of the hosted pages has.

    The form's answer may redirect to `return_origin`: browsers apply form-action to that redirect too. `links` are
    pairs of address and label. `rules` describes valid passwords.
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
    """`more` are further attributes to ask for: name to label and typed value."""
    fields = (
        render(
            "text_field.html",
            {"name": name, "label": label, "value": value, "autocomplete": name.replace("_", "-")},
        )
        for name, (label, value) in more.items()
    )
    return _form_page("Sign up", "sign_up.html", form, raw={"more": "".join(fields)})


def confirm(form: Form, *, resend: str, waiting: str) -> Reply:
    return _form_page("Confirm your address", "confirm.html", form, resend=resend, waiting=waiting)


def forgot(form: Form) -> Reply:
    return _form_page("Forgot your password?", "forgot.html", form)


def reset(form: Form) -> Reply:
    return _form_page("Reset your password", "reset.html", form)


def error(message: str) -> Reply:
    return _page("This request is not valid", render("error.html", {"message": message}), status=400)


def redirect(location: str) -> Reply:
    headers = (("Location", location), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
    return Reply(302, b"", headers)


def stylesheet(path: str) -> Reply:
    """Returns one of the two stylesheets by its address."""
    text = read_file(path.rpartition("/")[2])
    return Reply(200, text.encode(), (("Content-Type", "text/css; charset=utf-8"),))


def _form_page(title: str, name: str, form: Form, *, raw: Mapping[str, str] | None = None, **values: str) -> Reply:
    """`raw` values are HTML and are not escaped."""
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


def page_reply(text: str, *, status: int = 200, form_action: str = "", framed: bool = False) -> Reply:
    """A page that loads only its stylesheet, cannot be framed, and is not cached. `framed`: it has a frame of ours."""
    frames = "frame-src 'self'; " if framed else ""
    policy = (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; "
        f"{frames}form-action 'self' {form_action}".rstrip()
    )
    return Reply(status, text.encode(), (_HTML, *_security(policy, frames="DENY")))


def mail_frame(content: str) -> Reply:
    """A mail's HTML, which anybody may have written. A link in it opens in the whole window, when it is clicked."""
    policy = (
        "sandbox allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    text = f'<!doctype html><base target="_top">{content}'
    return Reply(200, text.encode(errors="replace"), (_HTML, *_security(policy, frames="SAMEORIGIN")))


def _security(policy: str, *, frames: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", frames),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )


def render(template: str, values: Mapping[str, str], *, raw: Mapping[str, str] | None = None) -> str:
    """`values` are escaped; `raw` values are HTML and are not."""
    escaped = {key: html.escape(value) for key, value in values.items()}
    return Template(read_file(template)).substitute({**escaped, **(raw or {})})


@cache
def read_file(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
