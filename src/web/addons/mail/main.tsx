import '../shared/styles.ts';
