"""The demo on one machine: the emulator with the stack, a cast of people with their records, and the portal."""
