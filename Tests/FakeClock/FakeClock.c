// Preloaded into a program whose wall clock a test sets (`FakeClock` of the lab): the answers to "what time is it" are so far
// ahead of this machine's clock as the file says that has the name of this library but for its ".so". Clocks that count from the machine's start, and the
// timers that go by them, stay as they are. (libfaketime shifts absolute timerfd timers of those clocks too, and so stops
// every program that lives by them.)
#define _GNU_SOURCE
#include "FakeClock.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// Shared with whoever sets the clock.
static _Atomic int64_t *seconds_ahead;

__attribute__((constructor)) static void open_clock(void) {
    // Beside the library, so that children find it that inherit nothing but what the loader needs.
    Dl_info library;
    char path[PATH_MAX] = "";
    if (dladdr((void *)open_clock, &library) && strlen(library.dli_fname) < sizeof path) {
        strncpy(path, library.dli_fname, strlen(library.dli_fname) - strlen(".so"));
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    void *memory = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *seconds_ahead, PROT_READ, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
        // Going by the right clock unnoticed would make a test pass that should not.
        perror("the clock cannot be read");
        abort();
    }
    close(file);
    seconds_ahead = memory;
}

// Before the constructor has run others may ask already.
static int64_t ahead(void) { return seconds_ahead ? atomic_load(seconds_ahead) : 0; }

static int is_wall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

int clock_gettime(clockid_t clock, struct timespec *now) {
    int status = (int)syscall(SYS_clock_gettime, clock, now);
    if (status == 0 && is_wall(clock)) now->tv_sec += ahead();
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec time;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0) return -1;
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME_COARSE, &now) != 0) return (time_t)-1;
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

// The kernel goes by the right time, so a deadline by the wrong one is told to it in the right one.
static struct timespec right(const struct timespec *deadline) {
    return (struct timespec){deadline->tv_sec - ahead(), deadline->tv_nsec};
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict deadline) {
    // Whose clock this condition has cannot be asked; no machine runs for thirty years.
    if (deadline->tv_sec < 1000000000) return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, deadline);
    struct timespec moved = right(deadline);
    return pthread_cond_clockwait(condition, mutex, CLOCK_REALTIME, &moved);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
    struct timespec moved = right(deadline);
    return sem_clockwait(semaphore, CLOCK_REALTIME, &moved);
}
