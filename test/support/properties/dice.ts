/** Decides at random what a property test makes. */
export class Dice {
  readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  below(max: number): number {
    return Math.floor(this.random() * max);
  }

  chance(part: number): boolean {
    return this.random() < part;
  }

  one<T>(...choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }
}
