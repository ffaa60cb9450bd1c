#pragma once
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/types.h>
#include <unbound.h>

// Declared only for GNU sources, which the importer of headers does not ask for.
struct relay_stream_functions {
    ssize_t (*read)(void *, char *, size_t);
    ssize_t (*write)(void *, const char *, size_t);
    int (*seek)(void *, void *, int);
    int (*close)(void *);
};
extern FILE *fopencookie(void *, const char *, struct relay_stream_functions);

// A stream that hands each line on as it ends.
static inline FILE *relay_line_stream(ssize_t (*write)(void *, const char *, size_t)) {
    struct relay_stream_functions functions = {0, write, 0, 0};
    FILE *stream = fopencookie(0, "w", functions);
    if (stream) setvbuf(stream, 0, _IOLBF, 4096);
    return stream;
}
