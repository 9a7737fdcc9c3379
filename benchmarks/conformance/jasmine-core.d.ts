/** The part of jasmine-core 5 that the conformance suite drives; the package has no types. */
declare module 'jasmine-core' {
  interface Environment {
    beforeEach(prepare: () => Promise<void>): void;
    addReporter(reporter: { specDone(result: SpecDone): void }): void;
    configure(options: { random: boolean; specFilter: (spec: { getFullName(): string }) => boolean }): void;
    execute(): Promise<unknown>;
  }

  interface SpecDone {
    readonly fullName: string;
    readonly status: 'passed' | 'failed' | 'pending' | 'excluded';
    readonly failedExpectations: readonly { readonly message: string; readonly stack: string }[];
  }

  const jasmineCore: {
    /** Sets the globals `describe`, `it`, … and returns what drives them. */
    boot(): { getEnv(): Environment };
  };
  export default jasmineCore;
}
