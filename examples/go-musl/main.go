package main

/*
#include <stdio.h>

static void greet(const char *whom) {
	printf("hello from C to %s\n", whom);
	fflush(stdout);
}
*/
import "C"

func main() {
	C.greet(C.CString("Go"))
}
