/// What a child and a look-up may take, each with its reason.
struct ResolverLimits: Equatable, Sendable {
    /// Children that ask one question each, beside the one that has all others. So many suspects are cleared side by side.
    var isolated = 4
    /// How long such a child may be without a question before it is ended.
    var idle = Duration.seconds(10)
    /// How long one suspect may hold such a child while others wait in line.
    var slice = Duration.seconds(5)

    /// How long a child may take from its start to its first word; a busy machine takes a second.
    var startingTime = Duration.seconds(20)
    /// The first wait after a child that ended before it was ready; doubled each time.
    var firstBackoff = Duration.milliseconds(100)
    /// The longest such wait.
    var longestBackoff = Duration.seconds(5)

    /// How often children that have questions are asked whether they live, and measured.
    var interval = Duration.milliseconds(250)
    /// A child that says nothing for so long, and computes all the while, is late: others take its place. Mail for other domains is
    /// not to be a second late.
    var late = Duration.milliseconds(700)
    /// One that says nothing for so long while it computes is ended.
    var hung = Duration.seconds(3)
    /// One that says nothing for so long without computing is ended: on a busy machine it may just not have had its turn.
    var silent = Duration.seconds(10)

    /// What a child may have in memory, in bytes: libunbound's caches, and as much again for what is under way.
    var memory: UInt64 = 320 << 20
    /// The time over which a child's use of the processor is judged.
    var window = Duration.seconds(5)
    /// The share of a processor that is too much over that time, unless it answers.
    var share = 0.8
    /// An answer may cost so much; the dearest that are in good order (RSA of 4096 bits, all keys new) take a tenth.
    var answerCost = Duration.milliseconds(50)
    /// What a question may cost that is alone in its child.
    var processorTime = Duration.seconds(5)

    /// How often a question is asked whose child is ended by others, such as by the system for want of memory.
    var attempts = 5
    /// How long a question is not asked that was there at two deaths; doubled each time.
    var firstQuarantine = Duration.seconds(3_600)
    /// The longest such time.
    var longestQuarantine = Duration.seconds(86_400)
    /// How many such questions are remembered; the one that ends first gives way.
    var quarantined = 1_024
    /// Deaths of children for which a name is suspected, shared among the names under way. All questions for it and
    /// below it are then asked in a separate child, until a first quarantine's time has passed without a death. Who is
    /// alone at a death has all of it.
    var blame = 1.5
    /// The same for a name of two labels, such as `example.org` and `co.uk`.
    var blameOfShortName = 12.0
    /// What a question that comes into quarantine adds.
    var blameOfQuarantine = 0.5
    /// How many names are remembered for that; those that are not suspected give way.
    var suspectNames = 16_384

    /// What this program's children may take.
    static var ofThisProgram: ResolverLimits {
        var limits = ResolverLimits()
        // A sanitizer keeps what was freed, and a shadow of everything.
        if ChildSandbox.isSanitized { limits.memory = 4 << 30 }
        return limits
    }
}
