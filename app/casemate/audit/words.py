"""Each event in plain words, as the audit pages say it: who — words — to whom or what."""

from collections.abc import Mapping
from dataclasses import dataclass

from casemate.audit.actions import Action, ActorKind
from casemate.audit.models import Event


@dataclass(frozen=True)
class Words:
    done: str
    failed: str = ""  # where the event can be one of failure
    own: tuple[str, str] = ("", "")  # the same two where who acts is also whom it is about, who is not named again then


WORDS: Mapping[Action, Words] = {
    Action.ENROLMENT_LINK_ISSUED: Words("made an enrolment link for"),
    Action.ENROLMENT_LINK_OPENED: Words("opened the enrolment link of"),
    Action.ENROLMENT_LINK_USED: Words("used the enrolment link of", own=("used their enrolment link", "")),
    Action.PASSWORD_SET: Words("set the password of", own=("set their password", "")),
    Action.PASSWORD_CHECKED: Words(
        "gave the right password of", "gave a wrong password for", own=("gave their password", "gave a wrong password")
    ),
    Action.TOTP_ENROLLED: Words("set up the second factor of", own=("set up their second factor", "")),
    Action.TOTP_CHECKED: Words(
        "gave the right second factor of",
        "gave a wrong second factor for",
        own=("gave their second factor", "gave a wrong second factor"),
    ),
    Action.SECOND_FACTOR_RESET: Words(
        "took away the second factor of", own=("had their second factor taken away, by their link", "")
    ),
    Action.BACKUP_CODES_ISSUED: Words("made backup codes for", own=("made ten backup codes", "")),
    Action.BACKUP_CODE_CHECKED: Words(
        "gave a backup code of",
        "gave a wrong backup code for",
        own=("gave a backup code", "gave a wrong backup code"),
    ),
    Action.SIGNED_IN: Words("signed in as", own=("signed in", "")),
    Action.SIGNED_OUT: Words("signed out as", own=("signed out", "")),
    Action.SESSIONS_ENDED: Words("ended sessions of", own=("ended sessions of their own", "")),
    Action.PERSON_DISABLED: Words("disabled"),
    Action.PERSON_ENABLED: Words("enabled again"),
    Action.LOCKED_OUT: Words(
        "", "was locked out, after too many wrong tries, as", own=("", "was locked out, after too many wrong tries")
    ),
    Action.UNLOCKED: Words("lifted the lock-out of"),
    Action.STEPPED_UP: Words(
        "gave again the second factor of",
        "gave a wrong second factor, asked for it again, for",
        own=("gave their second factor again", "gave a wrong second factor, asked for it again"),
    ),
    Action.ORGANIZATION_CREATED: Words("made the organisation"),
    Action.ORGANIZATION_UNKNOWN: Words("", "asked for an organisation that is not theirs or is not there:"),
    Action.ACCESS_REFUSED: Words("", "was refused, for want of the right, in"),
    Action.MEMBER_ADDED: Words("added as a member"),
    Action.MEMBER_ROLE_CHANGED: Words("changed the role of"),
    Action.MEMBER_ENDED: Words("ended the membership of"),
    Action.MEMBER_DISABLED: Words("disabled the account of"),
    Action.MEMBER_ENABLED: Words("enabled again the account of"),
    Action.REVEALING_SUSPENDED: Words(
        "reset the second factor, which suspends revealing, of",
        own=("set up their second factor anew, which suspends revealing", ""),
    ),
    Action.REVEALING_CONFIRMED: Words("confirmed, after a reset of the second factor,"),
    Action.FOLDER_CREATED: Words("made the folder"),
    Action.FOLDER_CHANGED: Words("changed the folder"),
    Action.VAULT_PASSWORD_CREATED: Words("stored the password"),
    Action.VAULT_PASSWORD_CHANGED: Words("changed the password"),
    Action.VAULT_PASSWORD_TRASHED: Words("moved to the trash the password"),
    Action.VAULT_PASSWORD_RESTORED: Words("restored the password"),
    Action.VAULT_PASSWORD_REVEALED: Words("looked at the password"),
    Action.VAULT_PASSWORD_COPIED: Words("copied a part of the password"),
    Action.VAULT_REVISION_REVEALED: Words("looked at a former version of the password"),
    Action.VAULT_SLOWED_DOWN: Words("", "was slowed down, after looking at many passwords"),
    Action.VAULT_SUSPENDED: Words("", "was refused a secret, within a day of a reset of their second factor"),
    Action.VAULT_TAMPERED: Words("", "found what is no longer what was stored in the password"),
    Action.TRIAL_BEGUN: Words("put on trial the content security policy"),
    Action.VIOLATION_FORGOTTEN: Words("took off the list of policy violations"),
    Action.SMOKE_TESTED: Words("tried whether events can be written"),
}
NOBODY = {ActorKind.STRANGER.value: "Somebody not signed in", ActorKind.TERMINAL.value: "An operator at the host"}


def who(event: Event) -> str:
    return event.actor_label or NOBODY.get(event.actor_kind, "Somebody unknown")


def what(event: Event) -> str:
    """An event of a release to come, which this one has no words for, is told by its name."""
    if event.action not in Action:
        return event.action
    words = WORDS[Action(event.action)]
    own = words.own if about_themselves(event) else ("", "")
    if event.success and words.done:
        return own[0] or words.done
    return own[1] or words.failed or f"failed: {words.done}"


def about_themselves(event: Event) -> bool:
    return bool(event.actor) and event.actor == event.target_id


def to_whom(event: Event) -> str:
    """The person or thing, unless the words say it already."""
    own = event.action in Action and any(WORDS[Action(event.action)].own)
    return "" if own and about_themselves(event) else event.target_label


def label(action: Action) -> str:
    """For a list to choose from."""
    words = WORDS[action]
    text = (words.done or words.failed).rstrip(":")
    return text[:1].upper() + text[1:]
