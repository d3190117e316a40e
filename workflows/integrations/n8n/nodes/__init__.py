"""What each of n8n's nodes becomes: a module per group, a function per node."""
