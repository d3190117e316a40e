"""How Django writes dates and times on the admin's pages (FORMAT_MODULE_PATH)."""
