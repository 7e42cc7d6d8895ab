"""The emulator's few pages, as replies. Plain HTML and one stylesheet: no script, nothing from elsewhere."""

import html
from functools import cache
from importlib.resources import files
from string import Template

from emulator.wire import Reply

STYLESHEET = "/assets/sign-in.css"
_HTML = ("Content-Type", "text/html; charset=utf-8")


def sign_in(*, action: str, return_origin: str, csrf: str, email: str, error: str) -> Reply:
    """`return_origin` is where the form's answer redirects to: a browser applies form-action to that hop too."""
    content = _filled("sign_in.html", action=action, csrf=csrf, email=email, invalid="true" if error else "false")
    return _page("Sign in", content, error=error, form_action=return_origin)


def new_password(*, action: str, return_origin: str, csrf: str, session: str, error: str) -> Reply:
    content = _filled(
        "new_password.html", action=action, csrf=csrf, session=session, invalid="true" if error else "false"
    )
    return _page("Choose a password", content, error=error, form_action=return_origin)


def error(message: str) -> Reply:
    return _page("Something is not right", _filled("error.html", message=message), status=400)


def redirect(location: str) -> Reply:
    headers = (("Location", location), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
    return Reply(302, b"", headers)


def stylesheet() -> Reply:
    return Reply(200, _file("sign-in.css").encode(), (("Content-Type", "text/css; charset=utf-8"),))


def _page(title: str, content: str, *, error: str = "", form_action: str = "", status: int = 200) -> Reply:
    summary = _filled("error_summary.html", error=error) if error else ""
    layout = Template(_file("layout.html"))
    text = layout.substitute(
        title=html.escape(title),
        marked="Error: " if error else "",
        stylesheet=STYLESHEET,
        summary=summary,
        content=content,
    )
    return Reply(400 if error else status, text.encode(), (_HTML, *_security(form_action)))


def _security(form_action: str) -> tuple[tuple[str, str], ...]:
    policy = (
        "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {form_action}".rstrip()
    )
    return (
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
    )


def _filled(name: str, **values: str) -> str:
    escaped = {key: html.escape(value) for key, value in values.items()}
    return Template(_file(name)).substitute(escaped)


@cache
def _file(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")
