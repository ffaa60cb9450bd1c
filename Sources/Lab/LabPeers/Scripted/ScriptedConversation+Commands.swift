import SMTPProtocol

extension ScriptedConversation {
    /// Acts on one command line.
    mutating func command(_ line: String) -> [Action] {
        let verb = line.prefix { !$0.isWhitespace }.uppercased()
        let actions: [Action]
        switch verb {
        case "EHLO", "HELO": actions = self.hello(verb, line)
        case "STARTTLS": actions = self.startTLS()
        case "MAIL": actions = self.mail(line)
        case "RCPT": actions = self.recipient(line)
        case "DATA": actions = self.data()
        case "BDAT": actions = self.chunk(line)
        case "RSET":
            self.resetTransaction()
            actions = self.perform(.reset, usual: "250 2.0.0 Ok").actions
        case "QUIT": actions = self.perform(.quit, usual: "221 2.0.0 Bye").actions + [.close]
        case "NOOP": actions = self.perform(.other, usual: "250 2.0.0 Ok").actions
        default: actions = self.perform(.other, usual: "500 5.5.2 What?").actions
        }
        return [.command(line)] + actions
    }

    private mutating func hello(_ verb: String, _ line: String) -> [Action] {
        self.resetTransaction()
        self.helloName = line.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        let step: ScriptedRule.Step = self.tls == nil ? .hello : .secureHello
        guard verb == "EHLO" else {
            self.offered = ScriptedExtensions([])
            return self.perform(step, usual: "250 \(self.hostName)").actions
        }
        let lines = self.rules.extensions(hasTLS: self.hasTLS).filter { self.tls == nil || $0 != "STARTTLS" }
        self.offered = ScriptedExtensions(lines)
        let words = [self.hostName] + lines
        let reply = words.enumerated().map { "250\($0.offset == words.count - 1 ? " " : "-")\($0.element)" }
        return self.perform(step, usual: reply.joined(separator: "\n")).actions
    }

    private mutating func startTLS() -> [Action] {
        guard self.hasTLS, self.tls == nil else {
            return self.perform(.startTLS, usual: "502 5.5.1 Not now").actions
        }
        let (actions, code) = self.perform(.startTLS, usual: "220 2.0.0 Go ahead")
        return code == 220 && !actions.contains(.close) ? actions + [.startTLS] : actions
    }

    private mutating func mail(_ line: String) -> [Action] {
        self.resetTransaction()
        self.transactionCount += 1
        let path = ScriptedPath(line)
        let usual = self.offered.refusal(ofMail: path, number: self.transactionCount) ?? "250 2.1.0 Ok"
        let (actions, code) = self.perform(.mail, usual: usual)
        if Self.isPositive(code) { self.transaction.begin(path) }
        return actions
    }

    private mutating func recipient(_ line: String) -> [Action] {
        guard self.transaction.hasBegun else { return [.write("503 5.5.1 MAIL first\r\n")] }
        let path = ScriptedPath(line)
        self.transaction.recipientCount += 1
        let usual = self.offered.refusal(of: path, in: self.transaction) ?? "250 2.1.5 Ok"
        let (actions, code) = self.perform(.recipient(self.transaction.recipientCount), usual: usual)
        if Self.isPositive(code) { self.transaction.recipients.append(path) }
        return actions
    }

    private mutating func data() -> [Action] {
        guard !self.transaction.recipients.isEmpty else { return [.write("503 5.5.1 RCPT first\r\n")] }
        // RFC 3030 §2: DATA and BDAT do not mix in one transaction.
        guard self.transaction.chunks.isEmpty else { return [.write("503 5.5.1 BDAT has begun\r\n")] }
        let (actions, code) = self.perform(.data, usual: "354 End with a dot")
        if code == 354 {
            self.mode = .content(
                SMTPContentDecoder(
                    .data, lineLimit: Self.maximumContentLength, sizeLimit: Self.maximumContentLength))
        }
        return actions
    }

    private mutating func chunk(_ line: String) -> [Action] {
        let words = line.split(separator: " ").dropFirst()
        guard self.offered.offers("CHUNKING") else {
            return self.perform(.other, usual: "500 5.5.2 What?").actions
        }
        guard let size = words.first.flatMap({ Int($0) }), (0...Self.maximumContentLength).contains(size),
            words.count == 1 || (words.count == 2 && words.last?.uppercased() == "LAST")
        else { return [.write("501 5.5.4 BDAT size [LAST]\r\n"), .close] }
        guard size > 0 else { return self.endOfChunk(0, isLast: words.count == 2) }
        self.mode = .chunk(size: size, remaining: size, isLast: words.count == 2)
        return []
    }
}
