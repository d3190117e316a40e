#!/usr/bin/env python
"""The usual Django entry point."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "automate.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        # It says what to do; twenty lines of traceback would hide it.
        sys.exit(f"The settings are incomplete: {error}")


if __name__ == "__main__":
    main()
