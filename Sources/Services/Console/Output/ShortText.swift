import MailModel

extension Duration {
    /// The two largest units, such as `3d 4h`, `12m 5s` or `0s`.
    var shortText: String {
        var rest = max(0, self.wholeMicroseconds / 1_000_000)
        var parts: [String] = []
        for (unit, seconds) in [("d", Int64(86_400)), ("h", 3600), ("m", 60), ("s", 1)] {
            let count = rest / seconds
            rest %= seconds
            if count > 0 { parts.append("\(count)\(unit)") } else if !parts.isEmpty { break }
            if parts.count == 2 { break }
        }
        return parts.isEmpty ? "0s" : parts.joined(separator: " ")
    }
}

extension Int {
    /// A size in bytes with three digits or so, such as `812 B`, `12.3 KiB` or `4.0 GiB`.
    var shortByteText: String {
        guard self >= 1024 else { return "\(self) B" }
        var value = Double(self)
        var unit = "B"
        for larger in ["KiB", "MiB", "GiB", "TiB"] where value >= 1024 {
            value /= 1024
            unit = larger
        }
        return "\((value * 10).rounded() / 10) \(unit)"
    }
}
