"""For programs that use the emulator: start it, deploy a template, create people and rows, sign a person in."""
