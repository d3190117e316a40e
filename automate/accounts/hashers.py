"""How passwords are hashed: Argon2 first; what was hashed otherwise is still taken."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher, BCryptPasswordHasher


class Argon2(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes and one lane.

    The first choice of OWASP's Password Storage Cheat Sheet. Django's own default takes
    100 MiB and eight threads for each password, and strangers may have a web process
    hash eight at once.
    """

    time_cost = 2
    memory_cost = 19 * 1024  # KiB
    parallelism = 1


class BCrypt(BCryptPasswordHasher):
    """bcrypt over the password itself, as other systems export it.

    It reads 72 bytes and not one more; the library refuses longer passwords, which
    therefore are wrong ones.
    """

    most = 72  # bytes

    def verify(self, password: str, encoded: str) -> bool:
        """Whether this is the password; False for a longer one."""
        return len(password.encode()) <= self.most and super().verify(password, encoded)
