import CMalloc

/// How glibc's allocator keeps what was freed.
public enum MemoryAllocator {
    /// Makes memory go back to the system when a burst of large buffers is over; to be called before the first thread is
    /// started.
    ///
    /// By default each thread gets an arena of its own, up to eight for each core. A buffer that travels from one
    /// thread to another leaves a hole in the first one's. Two arenas hold fewer holes. And glibc learns from the first
    /// large buffer that is freed to keep all that are as large. With a fixed threshold, chunks of message bodies are
    /// mapped and unmapped one by one.
    public static func returnMemoryEarly(mapping threshold: Int32) {
        // Each returns 0 on failure, which leaves the default.
        _ = mallopt(M_ARENA_MAX, 2)
        _ = mallopt(M_MMAP_THRESHOLD, threshold)
        _ = mallopt(M_TRIM_THRESHOLD, 1 << 20)
    }
}
