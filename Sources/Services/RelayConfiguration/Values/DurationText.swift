import MailModel

extension Duration {
    /// Reads whole numbers with a unit, `ms s m h d`, alone or from large to small: `15m`, `1h30m`, `5d`, `0s`.
    public init?(configurationText text: String) {
        var milliseconds: Int64 = 0
        var digits = ""
        var unit = ""
        var lastScale = Int64.max
        func scale(_ unit: String) -> Int64? {
            ["d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1][unit]
        }
        func take() -> Bool {
            guard let number = Int64(digits), let size = scale(unit), size < lastScale else { return false }
            let (product, overflow) = number.multipliedReportingOverflow(by: size)
            let (sum, overflowOfSum) = milliseconds.addingReportingOverflow(product)
            (milliseconds, lastScale, digits, unit) = (sum, size, "", "")
            return !overflow && !overflowOfSum
        }
        for character in text {
            if character.isASCII, character.isNumber {
                guard unit.isEmpty || take() else { return nil }
                digits.append(character)
            } else {
                unit.append(character)
            }
        }
        guard take() else { return nil }
        self = .milliseconds(milliseconds)
    }

    /// The shortest text that reads back as the same duration, to the millisecond.
    var configurationText: String {
        var rest = self.wholeMicroseconds / 1000
        var text = ""
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
            as [(String, Int64)]
        where rest >= size {
            text += "\(rest / size)\(unit)"
            rest %= size
        }
        return text.isEmpty ? "0s" : text
    }
}
