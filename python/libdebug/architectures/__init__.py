"""What depends on the instruction set, under the names of libdebug."""
