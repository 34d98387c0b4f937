import type { BoardSpec } from "./spec";
import { DAY } from "./timerange";
import { LOCAL, UTC } from "./zone";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const MACHINE: BoardSpec = {
  page: "machine",
  heading: "This machine",
  title: "This machine",
  database: "_internal",
  presets: [5 * MINUTE, 15 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY],
  initial: { kind: "last", millis: 5 * MINUTE },
  live: true,
  zone: LOCAL,
  missing: {
    title: "The server does not watch its machine",
    text: "It was started with --no-self-metrics, or has not collected anything yet. Started without that flag it records CPU, memory, disks and network once a second.",
    command: "isopoint serve",
  },
  panels: [
    {
      id: "cpu",
      title: "CPU",
      measurement: "cpu",
      columns: [{ field: "usage", call: "mean", label: "usage" }],
      groupBy: ["cpu"],
      unit: "percent",
      interval: 1000,
      floor: 0,
      ceiling: 100,
      style: "area",
      lead: "total",
      label: ({ cpu = "" }) => (cpu === "total" ? "total" : `core ${cpu}`),
    },
    {
      id: "memory",
      title: "Memory",
      measurement: "mem",
      columns: [
        { field: "used", call: "mean", label: "used" },
        { field: "available", call: "mean", label: "available" },
        { field: "total", call: "max", label: "total" },
      ],
      unit: "bytes",
      interval: 1000,
      floor: 0,
    },
    {
      id: "load",
      title: "Load",
      measurement: "load",
      columns: [
        { field: "load1", call: "mean", label: "1 min" },
        { field: "load5", call: "mean", label: "5 min" },
        { field: "load15", call: "mean", label: "15 min" },
      ],
      unit: "number",
      interval: 1000,
      floor: 0,
    },
    {
      id: "network",
      title: "Network",
      measurement: "net",
      columns: [
        { field: "bytes_recv", call: "last", label: "in" },
        { field: "bytes_sent", call: "last", label: "out" },
      ],
      groupBy: ["interface"],
      unit: "bytes/s",
      interval: 1000,
      rate: true,
      floor: 0,
    },
    {
      id: "disk-io",
      title: "Disk I/O",
      measurement: "diskio",
      columns: [
        { field: "read_bytes", call: "last", label: "read" },
        { field: "written_bytes", call: "last", label: "written" },
      ],
      groupBy: ["device"],
      unit: "bytes/s",
      interval: 1000,
      rate: true,
      floor: 0,
      label: ({ device = "" }, { label }) => `${device.replace(/^\/dev\//, "")} ${label}`,
    },
    {
      id: "disk",
      title: "Disk usage",
      measurement: "disk",
      columns: [{ field: "used_percent", call: "last", label: "used" }],
      groupBy: ["path"],
      unit: "percent",
      interval: 10_000,
      floor: 0,
      ceiling: 100,
    },
    {
      id: "ingest",
      title: "Isopoint: writes",
      measurement: "isopoint",
      columns: [
        { field: "values_written", call: "last", label: "values" },
        { field: "points_written", call: "last", label: "points" },
      ],
      unit: "count/s",
      interval: 1000,
      rate: true,
      floor: 0,
    },
    {
      id: "engine",
      title: "Isopoint: memory and files",
      measurement: "isopoint",
      columns: [
        { field: "resident_bytes", call: "mean", label: "resident" },
        { field: "memtable_bytes", call: "mean", label: "memtable" },
        { field: "file_bytes", call: "last", label: "block files" },
      ],
      unit: "bytes",
      interval: 1000,
      floor: 0,
    },
  ],
};

const WEATHER = {
  heading: "Weather",
  database: "weather",
  initial: { kind: "all" },
  live: false,
  zone: UTC,
  origin: {
    text: "NOAA, National Centers for Environmental Information; in the public domain. Taken from the npm package vega-datasets.",
    link: "https://www.ncei.noaa.gov/",
  },
  missing: {
    title: "No weather yet",
    text: "Hourly normals of Seattle and four years of daily weather in Seattle and New York, by NOAA and in the public domain. This command fetches and imports them:",
    command: "cargo xtask demo",
  },
} as const;

const DAILY: BoardSpec = {
  ...WEATHER,
  page: "weather",
  title: "Daily, 2012–2015",
  presets: [30 * DAY, 90 * DAY, 365 * DAY],
  panels: [
    {
      id: "temperature",
      title: "Temperature, lowest to highest",
      measurement: "daily",
      columns: [
        { field: "temp_min", call: "mean", label: "low" },
        { field: "temp_max", call: "mean", label: "high" },
      ],
      groupBy: ["location"],
      unit: "°C",
      interval: DAY,
      style: "band",
      wide: true,
      spread: 4,
    },
    {
      id: "precipitation",
      title: "Precipitation a day",
      measurement: "daily",
      columns: [{ field: "precipitation", call: "mean", label: "precipitation" }],
      groupBy: ["location"],
      unit: "mm",
      interval: DAY,
      spread: 2,
      floor: 0,
    },
    {
      id: "wind",
      title: "Wind",
      measurement: "daily",
      columns: [{ field: "wind", call: "mean", label: "wind" }],
      groupBy: ["location"],
      unit: "m/s",
      interval: DAY,
      spread: 2,
      floor: 0,
    },
  ],
};

const HOURLY: BoardSpec = {
  ...WEATHER,
  page: "weather/hourly",
  title: "Hourly normals, 2010",
  presets: [7 * DAY, 30 * DAY, 90 * DAY],
  panels: [
    {
      id: "hourly-temperature",
      title: "Temperature in Seattle",
      measurement: "seattle_hourly",
      columns: [{ field: "temperature", call: "mean", label: "temperature" }],
      unit: "°C",
      interval: HOUR,
      wide: true,
    },
    {
      id: "hourly-pressure",
      title: "Air pressure in Seattle",
      measurement: "seattle_hourly",
      columns: [{ field: "pressure", call: "mean", label: "pressure" }],
      unit: "hPa",
      interval: HOUR,
    },
    {
      id: "hourly-wind",
      title: "Wind in Seattle",
      measurement: "seattle_hourly",
      columns: [{ field: "wind", call: "mean", label: "wind" }],
      unit: "m/s",
      interval: HOUR,
      floor: 0,
    },
  ],
};

export const BOARDS: readonly BoardSpec[] = [MACHINE, DAILY, HOURLY];
