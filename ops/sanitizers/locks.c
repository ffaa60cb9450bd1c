// Loaded before the thread sanitizer's tests by ops/sanitize: tells the sanitizer what a contended Mutex of Swift's
// Synchronization library orders. Its slow path waits in the kernel, inside a library that is not instrumented, so without this
// everything that one thread did under the lock would seem to race with the next. The quick path is inlined and seen anyway.
#define _GNU_SOURCE
#include <dlfcn.h>

#include <stdint.h>

// Swift's convention: the handle in the register of `self`.
#define SWIFT __attribute__((swiftcall))
#define HANDLE __attribute__((swift_context)) void *handle
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

SWIFT void locked(uint32_t thread, HANDLE) __asm__(LOCK);
SWIFT void unlocked(HANDLE) __asm__(UNLOCK);
typedef SWIFT void (*Lock)(uint32_t, HANDLE);
typedef SWIFT void (*Unlock)(HANDLE);

// Absent from the programs that tests start.
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

SWIFT void locked(uint32_t thread, HANDLE) {
    ((Lock)dlsym(RTLD_NEXT, LOCK))(thread, handle);
    if (__tsan_acquire) __tsan_acquire(handle);
}

SWIFT void unlocked(HANDLE) {
    if (__tsan_release) __tsan_release(handle);
    ((Unlock)dlsym(RTLD_NEXT, UNLOCK))(handle);
}
