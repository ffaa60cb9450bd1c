#pragma once
// No _GNU_SOURCE: Swift's own module of these headers is built without it, and the two must agree.
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <seccomp.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Macros with arguments and variadic functions do not reach Swift.
static inline uint32_t relay_seccomp_errno(uint16_t number) { return SCMP_ACT_ERRNO(number); }
static inline uint32_t relay_seccomp_kill(void) { return SCMP_ACT_KILL_PROCESS; }
static inline uint32_t relay_seccomp_allow(void) { return SCMP_ACT_ALLOW; }

static inline int relay_set_dumpable(int value) { return prctl(PR_SET_DUMPABLE, value, 0, 0, 0); }
static inline int relay_set_parent_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }
static inline int relay_set_no_new_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

// Not every one of these is a name that Swift sees.
enum relay_resource {
    relay_core = RLIMIT_CORE,
    relay_data = RLIMIT_DATA,
    relay_descriptors = RLIMIT_NOFILE,
    relay_file_size = RLIMIT_FSIZE,
    relay_processes = RLIMIT_NPROC
};
static inline int relay_set_limit(enum relay_resource resource, uint64_t value) {
    struct rlimit limit = {value, value};
    return setrlimit((int)resource, &limit);
}

// For trying the lock: Swift lets nobody fork.
static inline int relay_fork(void) { return (int)syscall(SYS_clone, 17 /* SIGCHLD */, 0, 0, 0, 0); }
static inline int relay_trace_me(void) { return (int)syscall(SYS_ptrace, 0 /* PTRACE_TRACEME */, 0, 0, 0); }
static void *relay_nothing(void *unused) { return unused; }
static inline int relay_start_thread(void) {
    pthread_t thread;
    return pthread_create(&thread, 0, relay_nothing, 0);
}

static inline char **relay_environment(void) {
    extern char **environ;
    return environ;
}

static inline int relay_memory_file(const char *name) { return (int)syscall(SYS_memfd_create, name, 1u /* close on exec */); }

static inline int relay_pipe(int ends[2], int flags) { return (int)syscall(SYS_pipe2, ends, flags); }

// Declared only for GNU sources, which the importer of headers does not ask for.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);
