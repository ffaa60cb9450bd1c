/// What is running, for `--version`, the log and `build_info`. A release sets both.
public enum ProgramVersion {
    /// By semantic versioning.
    public static let number = "0.1.0"
    /// The commit of a release; other builds say that they are none.
    public static let revision = "development"

    /// `relayd 0.1.0 (development)`.
    public static func text(of program: String) -> String { "\(program) \(Self.number) (\(Self.revision))" }
}
