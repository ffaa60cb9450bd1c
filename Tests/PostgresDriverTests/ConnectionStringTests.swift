import Testing

@testable import PostgresDriver

@Suite("Connection strings, before they are used")
struct ConnectionStringTests {
    @Test(
        "What libpq takes is taken",
        arguments: [
            "relay", "", "dbname=relay", "host = db  dbname='re lay'",
            "host=a,b port=5432,5433 target_session_attrs=read-write",
            "postgresql://relay@db.example.org:5432/relay?sslmode=verify-full",
            "postgres:///relay?host=/run/postgresql", "postgresql://db/relay?user=me@example.org",
            "postgresql://u:%40%2F%3F@db/relay",
            "password='it\\'s = secret' sslmode=require",
        ])
    func good(_ text: String) {
        #expect(ConnectionString.fault(in: text) == nil)
    }

    @Test(
        "What libpq refuses is refused, by the place and without a word of a password",
        arguments: [
            ("hots=db", "word 1 of the connection string has a key that libpq does not know"),
            ("host=db password=correct horse", "word 3 of the connection string is no key=value"),
            ("host=db password=correct horse=battery", "word 3 of the connection string has a key"),
            ("password='correct horse", "a single quote is not closed"),
            ("host=db =horse", "word 2 of the connection string is no key=value"),
            ("postgresql://u:correct@horse@db/relay", "has an @ too many for a URI"),
            ("postgresql://u:12/horse@db/relay", "has an @ too many for a URI"),
            ("postgresql://u:correct?horse@db/relay", "has an @ too many for a URI"),
            ("postgresql://u:correct@[horse", "is not a URI"),
            ("host=db port=horse", "port: expected 1 to 65535"), ("port=0", "port: expected"),
            ("sslmode=horse", "sslmode: expected one of disable"),
            ("target_session_attrs=horse", "target_session_attrs: expected one of any"),
        ])
    func bad(_ text: String, _ words: String) throws {
        let told = try #require(ConnectionString.fault(in: text)).description
        #expect(told.hasPrefix(words))
        for secret in ["correct", "horse", "battery"] { #expect(!told.contains(secret)) }
    }

    @Test("A password is seen wherever libpq takes one")
    func passwords() {
        for text in ["host=db password=x", "postgresql://u:x@db/", "postgresql://db/?password=x", "sslpassword=x"] {
            #expect(ConnectionString.holdsPassword(text))
        }
        for text in ["host=db", "postgresql://u@db/", "password=''", "password", "passfile=/etc/relayd/pgpass"] {
            #expect(!ConnectionString.holdsPassword(text))
        }
    }
}
