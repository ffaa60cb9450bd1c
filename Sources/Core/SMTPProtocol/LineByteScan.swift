extension UnsafeBufferPointer<UInt8> {
    /// The index of the first CR, LF or NUL at or after `start`, or `count`.
    ///
    /// Eight bytes are looked at together, as one word. `SIMD16` compares byte by byte through generic code, which cost
    /// more than all the rest of a message.
    func firstLineByte(from start: Int) -> Int {
        let raw = UnsafeRawBufferPointer(self)
        var index = start
        while index < self.count {
            if index + 8 <= self.count {
                let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
                // The high bit of each byte below 14; a borrow can set a wrong one only above the first right one.
                let low = (word &- 0x0E0E_0E0E_0E0E_0E0E) & ~word & 0x8080_8080_8080_8080
                if low == 0 {
                    index += 8
                    continue
                }
                index += low.trailingZeroBitCount / 8
            }
            let byte = self[index]
            if byte == 13 || byte == 10 || byte == 0 { return index }
            index += 1
        }
        return self.count
    }
}
