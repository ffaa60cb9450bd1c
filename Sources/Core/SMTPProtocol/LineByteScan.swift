extension UnsafeBufferPointer<UInt8> {
    /// The index of the first CR, LF or NUL at or after `start`, or `count`.
    ///
    /// Sixteen bytes are looked at together where none of them is so low, which is almost everywhere in text.
    func firstLineByte(from start: Int) -> Int {
        let raw = UnsafeRawBufferPointer(self)
        var index = start
        while index < self.count {
            if index + 16 <= self.count {
                let block = raw.loadUnaligned(fromByteOffset: index, as: SIMD16<UInt8>.self)
                if !any(block .<= 13) {
                    index += 16
                    continue
                }
            }
            let byte = self[index]
            if byte == 13 || byte == 10 || byte == 0 { return index }
            index += 1
        }
        return self.count
    }
}
