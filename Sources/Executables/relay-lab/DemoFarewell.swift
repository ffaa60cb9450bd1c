import Foundation
import LabDatabase
import LabRelay
import LabSupport

/// What the user can do with the relay while it runs.
struct DemoFarewell {
    let lab: LabRelay

    func print(_ printer: DemoPrinter) {
        let smtp = "127.0.0.1:\(self.lab.smtpPort)"
        let web = "http://127.0.0.1:\(self.lab.relayd.telemetryPort)"
        let database = self.lab.postgres.connectionString(database: "relay")
        printer.plain(
            """

            SMTP      \(smtp)   (relays for this machine; STARTTLS with a certificate of the lab's own CA)
            Metrics   \(web)/metrics
            Health    \(web)/readyz?verbose
            Files     \(self.lab.folder.url.path)   (relayd.yaml, relayd-1.log, controller-1.yaml, controller-1-1.log)

            Try:  swaks --server \(smtp) -tls --from alice@alpha.test --to bob@bravo.test
                  curl -s \(web)/metrics | grep dane
                  psql "\(database)" \\
                       -c "SELECT at, kind, domain, status, reason, tls_match FROM relay.trace ORDER BY at"

            Ctrl-C ends it\(self.lab.folder.isKept ? "; the files stay." : " and removes everything.")
            """)
    }
}
