/**
 * Compiles a route's JSON Schema with its first request: compiling those of a hundred routes, most of which are never requested,
 * would slow down the start.
 */
import { createRequire } from 'node:module';
import type { BuildCompilerFromPool } from '@fastify/ajv-compiler';
import type { FastifyServerOptions } from 'fastify';

type Factory = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>;
type Validate = ReturnType<ReturnType<BuildCompilerFromPool>>;

/** As Fastify loads them. */
const require = createRequire(createRequire(import.meta.url).resolve('fastify'));

const buildValidator: BuildCompilerFromPool = (schemas, options) => {
  let compile: ReturnType<BuildCompilerFromPool> | undefined;
  return (route) => {
    let validate: Validate | undefined;
    const lazyValidate = (data: unknown): unknown => {
      compile ??= requireModule<() => BuildCompilerFromPool>('@fastify/ajv-compiler')()(schemas, options);
      validate ??= compile(route);
      const result = validate(data);
      Object.assign(lazyValidate, { errors: validate.errors });
      return result;
    };
    // Fastify calls it with the data, and reads its errors; it needs nothing else of Ajv's type.
    return lazyValidate as Validate;
  };
};

/** For Fastify's `schemaController.compilersFactory`. */
export const lazySchemaCompilers: Factory = {
  buildValidator,
  buildSerializer: (schemas, options) =>
    requireModule<() => NonNullable<Factory['buildSerializer']>>('@fastify/fast-json-stringify-compiler')()(
      schemas,
      options,
    ),
};

function requireModule<T>(name: string): T {
  return require(name);
}
