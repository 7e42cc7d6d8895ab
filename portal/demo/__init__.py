"""A whole world on one machine: the emulator, the stack, a cast of people, their records, and the portal."""
