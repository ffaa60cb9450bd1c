import Foundation
import LabPeers
import LabRelay
import LabSupport
import PostgresDriver
import QueueStore
import Testing

/// Who may send what, and which recipients exist, against the running program.
@Suite("Policy of the running node", .policyWorld, .timeLimit(.minutes(3)))
struct PolicyTests {
    private func dialog<Value: Sendable>(
        authenticated: Bool = false, tls: Bool = true, _ body: (inout SMTPDialog) async throws -> Value
    ) async throws -> Value {
        try await SMTPDialog.with(port: try SharedLab.lab.smtpPort) { smtp in
            try await smtp.hello()
            if tls || authenticated { try await smtp.startTLS() }
            if authenticated {
                let reply = try await smtp.say(
                    "AUTH PLAIN \(PolicyWorld.plain(PolicyWorld.user, PolicyWorld.password))")
                #expect(reply.code == 235)
            }
            return try await body(&smtp)
        }
    }

    // MARK: Who may relay

    @Test("AUTH is offered over TLS only, and refused before it")
    func offered() async throws {
        try await self.dialog(tls: false) { smtp in
            let before = try await smtp.hello()
            #expect(!before.description.contains("AUTH"))
            #expect(try await smtp.say("AUTH PLAIN \(PolicyWorld.plain("a", "b"))").code == 538)
            try await smtp.secure()
            let after = try await smtp.hello()
            #expect(after.description.contains("AUTH PLAIN LOGIN"))
        }
    }

    @Test("A wrong password, an unknown user, and acting for another are refused, and leave a stranger")
    func wrongPassword() async throws {
        let other = Data("root\0\(PolicyWorld.user)\0\(PolicyWorld.password)".utf8).base64EncodedString()
        for response in [
            PolicyWorld.plain(PolicyWorld.user, "Secret"), PolicyWorld.plain("bob", PolicyWorld.password), other,
        ] {
            try await self.dialog { smtp in
                #expect(try await smtp.say("AUTH PLAIN \(response)").code == 535)
                try await smtp.say("MAIL FROM:<a@client.test>")
                #expect(try await smtp.say("RCPT TO:<bob@else.test>").code == 550)
            }
        }
    }

    @Test("swaks relays after AUTH PLAIN and LOGIN, and its mail arrives", arguments: ["PLAIN", "LOGIN"])
    func authenticated(_ mechanism: String) async throws {
        let lab = try SharedLab.lab
        let recipient = "auth-\(mechanism.lowercased())@else.test"
        var swaks = Swaks(port: lab.smtpPort)
        #expect(try await !swaks.send(from: "a@client.test", to: [recipient], message: "Subject: x\n\nx").wasAccepted)
        swaks.login = .init(mechanism, user: PolicyWorld.user, password: PolicyWorld.password)
        let result = try await swaks.send(from: "a@client.test", to: [recipient], message: "Subject: x\n\nx")
        #expect(result.wasAccepted, "\(result.transcript)")
        let isThere = await lab.peer("else.test").server.wait { $0.received.contains { $0.recipients == [recipient] } }
        #expect(isThere)
    }

    @Test(
        "A certificate of the authority relays; another one is served like none",
        arguments: [("known", true), ("foreign", false)])
    func certificate(name: String, mayRelay: Bool) async throws {
        let lab = try SharedLab.lab
        var swaks = Swaks(port: lab.smtpPort)
        swaks.certificate = PolicyWorld.certificate(name, of: lab)
        let relayed = try await swaks.send(
            from: "a@client.test", to: ["\(name)@else.test"], message: "Subject: x\n\nx")
        #expect(relayed.wasAccepted == mayRelay, "\(relayed.transcript)")
        let ours = try await swaks.send(from: "a@client.test", to: ["\(name)@open.test"], message: "Subject: x\n\nx")
        #expect(ours.wasAccepted, "\(ours.transcript)")
    }

    @Test(
        "hostile-input 12: no spelling of an address makes an open relay, and AUTH opens no list",
        arguments: [
            "bob@else.test", "bob@ELSE.TEST", "bob@else.test.", "@open.test:bob@else.test", "bob%else.test@open.test",
            "else.test!bob@open.test", "\"bob@else.test\"@open.test", "bob@[127.0.0.1]", "bob%else.test@listed.test",
            "bob%else.test@asked.test", "@asked.test:bob@asked.test",
        ])
    func openRelay(_ path: String) async throws {
        try await self.dialog { smtp in
            try await smtp.say("MAIL FROM:<a@client.test>")
            #expect(try await smtp.say("RCPT TO:<\(path)>").code == 550)
        }
        try await self.dialog(authenticated: true) { smtp in
            try await smtp.say("MAIL FROM:<a@client.test>")
            let reply = try await smtp.say("RCPT TO:<\(path)>")
            // Who may relay is taken at his word about the domain; the list holds for him, too.
            #expect(reply.code == (path.hasSuffix("@listed.test") ? 550 : 250), "\(reply)")
        }
    }

    @Test("Mail for the bare Postmaster is refused where nobody was named for it")
    func postmaster() async throws {
        try await self.dialog { smtp in
            try await smtp.say("MAIL FROM:<a@client.test>")
            #expect(try await smtp.say("RCPT TO:<Postmaster>").code == 550)
            #expect(try await smtp.say("RCPT TO:<postmaster@listed.test>").code == 250)
        }
    }

    // MARK: Recipients

    private func verify(_ recipient: String) async throws -> SMTPDialog.Reply {
        try await self.dialog { smtp in
            try await smtp.say("MAIL FROM:<a@client.test>")
            return try await smtp.say("RCPT TO:<\(recipient)>")
        }
    }

    @Test("A list knows its recipients in any case, and nobody else")
    func list() async throws {
        for known in ["bob", "BOB", "carol", "\"bob\"", "postmaster"] {
            #expect(try await self.verify("\(known)@listed.test").code == 250)
        }
        let reply = try await self.verify("eve@listed.test")
        #expect(reply.description.hasPrefix("550 5.1.1 "))
    }

    @Test("Call-ahead asks the next hop once, with the null sender and no content, and then knows")
    func callAhead() async throws {
        let server = try SharedLab.lab.peer("asked.test").server
        for spelling in ["ann@asked.test", "ANN@asked.test", "ann@ASKED.test"] {
            #expect(try await self.verify(spelling).code == 250)
        }
        let asked = server.commands.filter { $0.uppercased().hasPrefix("RCPT TO:<ANN@") }
        #expect(asked.count == 1)
        #expect(server.commands.contains { $0.hasPrefix("MAIL FROM:<>") })
        #expect(!server.received.contains { $0.recipients.contains { $0.hasPrefix("ann@") } })
    }

    @Test("A recipient that the next hop refuses is refused with its words, made safe")
    func unknown() async throws {
        for _ in 0..<2 {
            let reply = try await self.verify("eve@refusing.test")
            #expect(reply.description.hasPrefix("550 5.1.1 "), "\(reply)")
            #expect(reply.description.contains("no such user"))
            #expect(!reply.description.contains("\u{1B}"))
        }
        #expect(try SharedLab.lab.peer("refusing.test").server.commands.count { $0.contains("eve@") } == 1)
    }

    @Test(
        "A next hop that does not say, speaks of who asks, or cannot be trusted with the question, is no answer: 450",
        arguments: ["picky.test", "guarded.test", "silent.test", "forged.test", "bogus.test"])
    func unsure(_ domain: String) async throws {
        let reply = try await self.verify("bob@\(domain)")
        #expect(reply.description.hasPrefix("450 4.1.1 "), "\(reply)")
        // Where DANE is owed, not even the address is told to another (rule 1).
        if domain == "forged.test" {
            #expect(try !SharedLab.lab.peer(domain).server.commands.contains { $0.hasPrefix("RCPT") })
        }
    }

    @Test("While one client's recipient is asked about, others are served")
    func others() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { _ = try await self.verify("slow-\(UUID().uuidString)@silent.test") }
            for _ in 0..<5 { #expect(try await self.verify("bob@open.test").code == 250) }
            try await group.waitForAll()
        }
    }
}

/// When the node says "not now".
@Suite("Capacity of the running node's queue", .timeLimit(.minutes(2)))
struct QueueCapacityTests {
    @Test("Over the limit on messages RCPT is answered 452 4.3.1, and counted; the copies of a message have a budget")
    func limits() async throws {
        var options = LabRelayOptions()
        options.settings = [
            "queue.max-messages": "3", "queue.max-copy-bytes": "100KiB",
            "accepted-domains": "[{domain: silent.test, recipients: call-ahead}]",
            "call-ahead.timeout": "1s", "call-ahead.on-failure": "accept",
        ]
        // What is queued stays there.
        let busy: [ScriptedRule] = [.on(.everyRecipient, .reply("450 4.2.0 later"))]
        let silent: [ScriptedRule] = [.on(.everyRecipient, .wait(.seconds(60)))]
        let domains: [LabDomain] = [
            .dane("busy.test", rules: busy), .dane("two.test", rules: busy), .dane("silent.test", rules: silent),
        ]
        try await LabRelay.with(domains, options) { lab in
            try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                try await smtp.hello()
                try await smtp.say("MAIL FROM:<a@client.test> SIZE=60000")
                #expect(try await smtp.say("RCPT TO:<a@busy.test>").code == 250)
                #expect(try await smtp.say("RCPT TO:<b@busy.test>").code == 250)
                let reply = try await smtp.say("RCPT TO:<a@two.test>")
                #expect(reply.description.hasPrefix("452 4.5.3 "), "\(reply)")
                // What nobody can say about a recipient is no refusal here, because the operator wants it so.
                try await smtp.say("RSET")
                try await smtp.say("MAIL FROM:<a@client.test>")
                #expect(try await smtp.say("RCPT TO:<a@silent.test>").code == 250)
            }
            for number in 1...3 { try await lab.submit(to: "a\(number)@busy.test") }
            var last = ""
            let isFull = try await eventually(every: .milliseconds(100)) {
                last = try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                    try await smtp.hello()
                    try await smtp.say("MAIL FROM:<a@client.test>")
                    return try await smtp.say("RCPT TO:<a@busy.test>").description
                }
                return last.hasPrefix("452 4.3.1 ")
            }
            #expect(isFull, "\(last)")
            #expect(try await lab.relayd.metric("relayd_smtpd_rejects_total", label: "reason=\"storage\"") >= 1)
        }
    }

    @Test(
        "A stranger's large message to several domains is taken in parts, and one that never fits is refused (field A5)"
    )
    func largeMessages() async throws {
        var options = LabRelayOptions()
        options.settings = [
            "relay-networks": "[]", "accepted-domains": "[{domain: one.test}, {domain: two.test}]",
            "queue.max-database-size": "600MiB",
        ]
        try await LabRelay.with([.dane("one.test"), .dane("two.test")], options) { lab in
            try await SMTPDialog.with(port: lab.smtpPort) { smtp in
                try await smtp.hello()
                func answers(size: Int, to recipients: String...) async throws -> [String] {
                    try await smtp.say("MAIL FROM:<a@client.test> SIZE=\(size)")
                    var answers: [String] = []
                    for recipient in recipients {
                        answers.append(try await smtp.say("RCPT TO:<\(recipient)>").description)
                    }
                    try await smtp.say("RSET")
                    return answers.map { String($0.prefix(9)) }
                }
                // A quarter of the database is for staged bytes, and a quarter of that for one message of a stranger: 37.5 MiB.
                #expect(try await answers(size: 50 << 20, to: "a@one.test") == ["552 5.3.4"])
                let answered = try await answers(size: 30 << 20, to: "a@one.test", "b@one.test", "a@two.test")
                #expect(answered[0].hasPrefix("250") && answered[1].hasPrefix("250") && answered[2] == "452 4.5.3")
                let again = try await answers(size: 30 << 20, to: "a@two.test")
                #expect(again[0].hasPrefix("250"))
            }
        }
    }

    @Test("Bodies without an end fill the database to the strangers' half of a budget, and no further (field A5)")
    func stagedBodies() async throws {
        var options = LabRelayOptions()
        options.settings = [
            "relay-networks": "[]", "accepted-domains": "[{domain: ours.test}]", "queue.max-database-size": "64MiB",
        ]
        try await LabRelay.with([.dane("ours.test")], options) { lab in
            let line = String(repeating: "x", count: 62) + "\r\n"
            let body = String(repeating: line, count: 16 << 14)
            // A quarter of the database's limit is 16 MiB, and strangers have half of it; each of them sends 16 MiB.
            try await withThrowingTaskGroup { group in
                for number in 1...8 {
                    group.addTask {
                        try await ClientScript(
                            .hello, .envelope(to: "a\(number)@ours.test"), .content(body), .stall(.seconds(1)),
                            .afterDot(.expect("452 4.3.1|552 5.3.4")), .send("RSET"), .expect(250)
                        ).play(from: "127.0.0.\(number)", port: lab.smtpPort)
                    }
                }
                var most = 0
                while try await lab.receptions(for: "small@ours.test") < 20 {
                    // Meanwhile mail that fits into its row goes on.
                    try await lab.submit(to: "small@ours.test")
                    most = max(most, try await lab.stagedBytes())
                }
                try await group.waitForAll()
                #expect(most > 1 << 20)
                #expect(most <= 8 << 20)
                #expect(try await lab.store.databaseSize() < 64 << 20)
                // What was removed still counts, for the space is not free yet.
                let share = "share=\"strangers\""
                #expect(try await lab.relayd.metric("relayd_smtpd_staged_bytes_limit", label: share) == Double(8 << 20))
                let told = try await eventualValue(within: .seconds(30), every: .milliseconds(100)) {
                    let bytes = try await lab.relayd.metric("relayd_smtpd_staged_bytes", label: share)
                    return bytes >= Double(1 << 20) ? bytes : nil
                }
                #expect(try #require(told) <= Double(8 << 20))
            }
        }
    }
}

extension LabRelay {
    /// Bytes of bodies in the database.
    fileprivate func stagedBytes() async throws -> Int {
        let result = try await self.store.pool.query(
            Statement("SELECT coalesce(sum(length(data)), 0)::int8 FROM relay.body_chunk"))
        return Int(try result.single().get(0, as: Int64.self))
    }
}
