// The part of glibc that Swift's own module of it leaves out.
#pragma once
#include <malloc.h>
