"""E-mail syntax by the email-validator library."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from domain.records.users import mailbox
from domain.text import storable_problem
from ports.records import EmailSyntax


class EmailValidatorSyntax(EmailSyntax):
    """RFC 5321/5322/6531 addresses that could be delivered over the internet; no look-up."""

    def problem(self, address: str) -> str | None:
        """Why `address` cannot be an e-mail address; None if it can."""
        unstorable = storable_problem(address)
        if unstorable is not None:
            return unstorable
        try:
            normal = validate_email(address, check_deliverability=False).normalized
        except EmailNotValidError as error:
            return str(error)
        if mailbox(normal) != mailbox(address):
            # In letters that IDNA takes for others or for none. So that one mailbox has one user.
            return f"The domain has letters that stand for others. Write the address as {normal}."
        return None
