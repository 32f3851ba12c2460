"""The plain values that a debugger is given and gives back."""
