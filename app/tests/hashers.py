from django.contrib.auth.hashers import Argon2PasswordHasher


class QuickArgon2(Argon2PasswordHasher):
    """The application's hasher, at a hundredth of its cost: hundreds of tests sign somebody in."""

    time_cost, memory_cost, parallelism = 1, 1024, 1
