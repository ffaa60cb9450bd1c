// The part of glibc that Swift's own module of it leaves out.
#pragma once
#include <malloc.h>
#include <sys/prctl.h>

// A variadic function does not reach Swift.
static inline int relay_forbid_core_dump(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
