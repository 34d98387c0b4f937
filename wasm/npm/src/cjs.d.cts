// The same for CommonJS: types of the ES module, under the names that `require` gives.
import type * as isopoint from "./node.js" with { "resolution-mode": "import" };

export declare const Engine: typeof isopoint.Engine;
export declare const IsopointError: typeof isopoint.IsopointError;
export declare const QueryResult: typeof isopoint.QueryResult;
export declare const Series: typeof isopoint.Series;
export declare const Column: typeof isopoint.Column;
export type Engine = isopoint.Engine;
export type IsopointError = isopoint.IsopointError;
export type QueryResult = isopoint.QueryResult;
export type Series = isopoint.Series;
export type Column = isopoint.Column;
export type ErrorCode = isopoint.ErrorCode;
export type OpenOptions = isopoint.OpenOptions;
export type QueryOptions = isopoint.QueryOptions;
export type WriteOptions = isopoint.WriteOptions;
export type EngineEvent = isopoint.EngineEvent;
