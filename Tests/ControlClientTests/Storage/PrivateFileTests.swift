import Foundation
import LabSupport
import Testing

@testable import OperatingSystem

@Suite("A private file")
struct PrivateFileTests {
    @Test(
        "A kill between two steps of a replacement leaves the old content or the new one",
        arguments: PrivateFile.Step.allCases)
    func killed(at last: PrivateFile.Step) async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending(path: "identity.pem").path
            try PrivateFile.replace(path, with: Array("old".utf8))
            #expect(throws: PrivateFile.Fault.self) {
                try PrivateFile.replace(path, with: Array("new".utf8)) { step throws(PrivateFile.Fault) in
                    if step == last { throw PrivateFile.Fault(description: "killed") }
                }
            }
            let isDone = [.renamed, .folderSynchronised].contains(last)
            #expect(try String(contentsOfFile: path, encoding: .utf8) == (isDone ? "new" : "old"))
            // The next replacement is not in the way of what was left.
            try PrivateFile.replace(path, with: Array("next".utf8))
            #expect(try String(contentsOfFile: path, encoding: .utf8) == "next")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["identity.pem"])
        }
    }

    @Test("It is the owner's alone, whatever was there before")
    func mode() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending(path: "identity.pem").path
            try Data("open".utf8).write(to: URL(filePath: path))
            try PrivateFile.replace(path, with: [1])
            #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test("A folder that is missing is named; a file that is missing is as good as removed")
    func missing() async throws {
        try await withTemporaryFolder { folder in
            let path = folder.appending(path: "none/identity.pem").path
            #expect(throws: PrivateFile.Fault.self) { try PrivateFile.replace(path, with: [1]) }
            try PrivateFile.remove(folder.appending(path: "none").path)
        }
    }
}
