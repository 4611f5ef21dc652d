"""Who somebody is to us: the owner of streams and chats, told from Jupyter's identity.

Jupyter's own identity providers know a token or a password, not people: they make a name up for
each browser and keep it in a cookie that is named after the server's address. On another port or in
another browser the name is another one, and chats kept under it would be lost. So where names are
made up, everybody who got in is one owner, as they share files and kernels too. Called by
``base`` for each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider

if TYPE_CHECKING:
    from jupyter_server.base.handlers import JupyterHandler

#: Owner where Jupyter makes names up.
LOCAL_OWNER = "local"

#: Where logins are told apart: owner of what comes with the server's token and no login cookie.
TOKEN_OWNER = "token"

#: What a provider overrides to say who somebody is.
_NAMING = ("get_user", "_get_user", "get_user_token", "get_user_cookie", "process_login_form")


def makes_names_up(provider: IdentityProvider) -> bool:
    """Return whether a provider only has names that Jupyter invented."""
    kind = type(provider)
    own = (IdentityProvider, PasswordIdentityProvider)
    return all(any(getattr(kind, name) is getattr(base, name) for base in own) for name in _NAMING)


def owner_of(handler: JupyterHandler, *, has_separate_logins: bool) -> str:
    """Return the owner of a request that Jupyter has let in.

    Parameters
    ----------
    handler : JupyterHandler
        Of the request.
    has_separate_logins : bool
        Whether each login is somebody else even where names are made up.
    """
    provider = handler.identity_provider
    if makes_names_up(provider) and not has_separate_logins:
        return LOCAL_OWNER
    if _is_named_for_one_request(handler, provider):
        return TOKEN_OWNER
    return f"user:{handler.current_user.username}"


def _is_named_for_one_request(handler: JupyterHandler, provider: IdentityProvider) -> bool:
    """Return whether the name was made up just now: a token came, and no login cookie."""
    kind = type(provider)
    names = ("get_user", "_get_user", "get_user_token", "get_user_cookie")
    return all(getattr(kind, name) is getattr(IdentityProvider, name) for name in names) and not (
        handler.get_secure_cookie(
            provider.get_cookie_name(handler), **provider.get_secure_cookie_kwargs
        )
    )
