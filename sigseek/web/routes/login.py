"""Logging in with the token, which sets a cookie, and out again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from pydantic import Field

from sigseek.web.bodies import RequestBody
from sigseek.web.problems import RequestError
from sigseek.web.security import address_of, check_tries, login_of
from sigseek.web.tokens import LOGIN_SECONDS, Tokens

router = APIRouter(tags=["login"])


class Login(RequestBody):
    """What a login presents."""

    token: str = Field(description="The server's token.", max_length=1000)


@router.post("/login", status_code=204, summary="Log in with the token")
def log_in(request: Request, login: Annotated[Login, Form()]) -> Response:
    """Set a cookie that lets the browser in. A browser's form is led to the page; programs get an
    empty answer. A server without a token lets everybody in and sets no cookie.
    """
    tokens: Tokens = request.app.state.tokens
    is_form = "text/html" in request.headers.get("accept", "")
    if not tokens.needed:
        return _done(is_form)
    check_tries(tokens, address_of(request.scope))
    if not tokens.fits(login.token, address_of(request.scope)):
        raise RequestError(
            303 if is_form else 401,
            "the token is wrong",
            "use the one that the server was started with",
            # The page has the same words at this place, for browsers without scripts.
            headers={"Location": "/login#wrong"} if is_form else None,
        )
    response = _done(is_form)
    response.set_cookie(
        tokens.cookie,
        tokens.log_in(),
        max_age=LOGIN_SECONDS,
        httponly=True,
        samesite="strict",
        # A proxy with TLS tells so. Whoever claims it harms only the own login.
        secure="https" in (request.url.scheme, request.headers.get("x-forwarded-proto")),
    )
    return response


@router.post("/logout", status_code=204, summary="Log out")
def log_out(request: Request) -> Response:
    """Forget the login, and remove its cookie."""
    tokens: Tokens = request.app.state.tokens
    tokens.log_out(login_of(request.headers, tokens))
    response = Response(status_code=204)
    response.delete_cookie(tokens.cookie, httponly=True, samesite="strict")
    return response


def _done(is_form: bool) -> Response:
    return (
        Response(status_code=303, headers={"Location": "/"})
        if is_form
        else Response(status_code=204)
    )
