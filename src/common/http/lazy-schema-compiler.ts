/**
 * Compiles a route's JSON Schema with its first request: compiling those of a hundred routes, most of which are never requested,
 * would slow down the start.
 */
import { createRequire } from 'node:module';
import type { BuildCompilerFromPool } from '@fastify/ajv-compiler';
import type { FastifyServerOptions } from 'fastify';

type Factory = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>;
type Validate = ReturnType<ReturnType<BuildCompilerFromPool>>;

const require = createRequire(import.meta.url);

const buildValidator: BuildCompilerFromPool = (schemas, options) => {
  let compile: ReturnType<BuildCompilerFromPool> | undefined;
  return (route) => {
    let validate: Validate | undefined;
    const lazyValidate = (data: unknown): unknown => {
      compile ??= ajvCompiler()(schemas, options);
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
  buildSerializer: (schemas, options) => jsonCompiler()(schemas, options),
};

/** Named where they are required, so that the bundle has them. */
function ajvCompiler(): BuildCompilerFromPool {
  const build: () => BuildCompilerFromPool = require('@fastify/ajv-compiler');
  return build();
}

function jsonCompiler(): NonNullable<Factory['buildSerializer']> {
  const build: () => NonNullable<
    Factory['buildSerializer']
  > = require('@fastify/fast-json-stringify-compiler');
  return build();
}
