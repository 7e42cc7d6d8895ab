"""Renders the emulator's pages. They are plain HTML with one stylesheet: no scripts, nothing from other hosts.

They have the portal's colours and logo, since people meet them as one product.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from string import Template
from urllib.parse import urlsplit

from emulator.cognito.pools import newest_client_origin
from emulator.hosted_ui.pages import fields
from emulator.hosted_ui.pages.fields import Field, Problem
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
    problems: Sequence[Problem] = ()
    notice: str = ""
    rules: str = ""
    links: Links = ()


def sign_in(form: Form) -> Reply:
    return _form_page("Sign in", "sign_in.html", form, fields.SIGN_IN)


def new_password(form: Form, *, session: str) -> Reply:
    return _form_page("Choose a password", "new_password.html", form, fields.CHOOSE_PASSWORD, session=session)


def code(form: Form, *, session: str) -> Reply:
    return _form_page("Enter your code", "code.html", form, fields.SECOND_FACTOR, session=session)


def enrol(form: Form, *, session: str, secret: str, uri: str) -> Reply:
    """`uri` is an otpauth address, which has the secret too."""
    title = "Set up an authenticator app"
    return _form_page(title, "enrol.html", form, fields.ENROL, session=session, secret=secret, uri=uri)


def sign_up(form: Form, *, more: Mapping[str, str]) -> Reply:
    """`more` are further attributes to ask for: name to typed value."""
    return _form_page("Sign up", "sign_up.html", form, fields.sign_up_fields(more))


def confirm(form: Form, *, resend: str, waiting: str) -> Reply:
    return _form_page("Confirm your address", "confirm.html", form, fields.CONFIRM, resend=resend, waiting=waiting)


def forgot(form: Form) -> Reply:
    return _form_page("Forgot your password?", "forgot.html", form, fields.FORGOT)


def reset(form: Form) -> Reply:
    return _form_page("Reset your password", "reset.html", form, fields.RESET)


def error(message: str) -> Reply:
    return _page("This request is not valid", render("error.html", {"message": message}), status=400)


def redirect(location: str) -> Reply:
    headers = (("Location", location), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
    return Reply(302, b"", headers)


def stylesheet(path: str) -> Reply:
    """Returns one of the two stylesheets by its address, with the tokens that both have."""
    text = read_file("tokens.css") + read_file(path.rpartition("/")[2])
    return Reply(200, text.encode(), (("Content-Type", "text/css; charset=utf-8"),))


def _form_page(title: str, name: str, form: Form, its_fields: Sequence[Field], **values: str) -> Reply:
    filled = [_filled(field, form) for field in its_fields]
    raw = {"fields": fields.render_fields(read_file("field.html"), filled, form.problems)}
    content = render(name, {"action": form.action, "csrf": form.csrf, **values}, raw=raw) + _links(form.links)
    summary = _summary(form.problems, first_field=its_fields[0].name)
    return _page(title, content, summary=summary, notice=form.notice, form_action=form.return_origin)


def _filled(field: Field, form: Form) -> Field:
    if field.name == fields.USERNAME.name:
        return replace(field, value=form.email)
    return replace(field, hint=form.rules) if field.has_rules else field


def _links(links: Links) -> str:
    if not links:
        return ""
    items = (f'<li><a href="{html.escape(href)}">{html.escape(words)}</a></li>' for href, words in links)
    return Template(read_file("links.html")).substitute(items="\n".join(items))


def _page(
    title: str, content: str, *, summary: str = "", notice: str = "", form_action: str = "", status: int = 200
) -> Reply:
    text = Template(read_file("layout.html")).substitute(
        title=html.escape(title),
        marked="Error: " if summary else "",
        stylesheet=STYLESHEET,
        brand=brand(form_action),
        notice=render("notice.html", {"notice": notice}) if notice else "",
        summary=summary,
        content=content,
    )
    return page_reply(text, status=400 if summary else status, form_action=form_action)


def brand(origin: str = "") -> str:
    """The logo, and the way back to the app at `origin`, or else to the app of the newest client, if there is one."""
    origin = origin or newest_client_origin()
    if not origin:
        return read_file("mark.html")
    return render("brand.html", {"origin": origin, "host": urlsplit(origin).netloc})


def _summary(problems: Sequence[Problem], *, first_field: str) -> str:
    """A problem of the form as a whole leads to its first field."""
    if not problems:
        return ""
    items = (
        f'<li><a href="#{html.escape(one.field or first_field)}">{html.escape(one.message)}</a></li>\n'
        for one in problems
    )
    return Template(read_file("error_summary.html")).substitute(items="".join(items))


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
