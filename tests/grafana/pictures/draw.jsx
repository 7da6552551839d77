// Draws one board: every panel in its place, with Grafana's own components, units, colours and transformations.
//
// What Grafana's server adds around these components is written here as briefly as it can be: which settings a field may
// have, how an answer of Prometheus becomes a frame, and where a panel stands.
import {Component} from 'react';
import {flushSync} from 'react-dom';
import {createRoot} from 'react-dom/client';
import {
  FieldConfigOptionsRegistry, FieldType, ThemeContext, applyFieldOverrides, cacheFieldDisplayNames, createDataFrame,
  createTheme, dateTime, getDisplayValueAlignmentFactors, getFieldDisplayValues, identityOverrideProcessor,
  standardTransformers, standardTransformersRegistry, transformDataFrame,
} from '@grafana/data';
import {BarGauge, BigValue, GlobalStyles, PanelChrome, TimeSeries, VizRepeater} from '@grafana/ui';
import {TableNG} from '@grafana/ui/unstable';

const COLUMNS = 24, ROW = 30, GAP = 8; // Grafana's grid, in pixels
const WIDTH = document.documentElement.clientWidth - 2 * GAP;
const theme = createTheme({colors: {mode: 'dark'}});
const timeZone = 'utc';
const replaceVariables = (text) => text;

standardTransformersRegistry.setInit(() =>
  [standardTransformers.joinByFieldTransformer, standardTransformers.organizeFieldsTransformer]
    .map((each) => ({id: each.id, name: each.name, transformation: async () => each})));

// The settings of a field that our boards use; which of them there are is told by the server, by kind of panel.
const SETTINGS = ['unit', 'min', 'max', 'color', 'thresholds', 'mappings', 'links'];
const CUSTOM = ['axisSoftMin', 'axisSoftMax', 'drawStyle', 'lineWidth', 'fillOpacity', 'spanNulls', 'showPoints', 'stacking',
  'thresholdsStyle', 'cellOptions', 'width'];
const fieldConfigRegistry = new FieldConfigOptionsRegistry();
for (const [names, isCustom] of [[SETTINGS, false], [CUSTOM, true]]) {
  for (const path of names) {
    const id = isCustom ? `custom.${path}` : path;
    const shouldApply = ({type}) => type !== FieldType.time;
    fieldConfigRegistry.register({id, path, isCustom, name: id, process: identityOverrideProcessor, shouldApply});
  }
}

// What is not known here would be left out in silence, and the picture would not be the board's.
function onlyKnown({title, fieldConfig: {defaults: {custom = {}, ...settings}, overrides}, transformations}) {
  const used = [
    ...Object.keys(settings), ...Object.keys(custom).map((name) => `custom.${name}`),
    ...overrides.flatMap(({properties}) => properties.map(({id}) => id)),
  ].filter((id) => !fieldConfigRegistry.getIfExists(id));
  const unknown = [...used, ...transformations.map(({id}) => id).filter((id) => !standardTransformersRegistry.getIfExists(id))];
  if (unknown.length) throw new Error(`“${title}” could not be drawn: draw.jsx does not know ${unknown.join(', ')}.`);
}

// Prometheus writes numbers as text; what is none, such as a quantile of nothing, is drawn as nothing.
const number = (text) => (Number.isFinite(+text) ? +text : null);

const legend = (format, labels) => format.replace(/{{(\w+)}}/g, (_, name) => labels[name] ?? '');

const time = (values, interval) =>
  ({name: 'Time', type: FieldType.time, config: {interval}, values: values.map(([at]) => at * 1000)});

function ofSeries({refId, legendFormat, series}, interval) {
  return series.map(({metric, values}) => createDataFrame({refId, fields: [time(values, interval), {
    name: 'Value', type: FieldType.number, labels: metric, values: values.map(([, value]) => number(value)),
    config: {displayNameFromDS: legend(legendFormat, metric)},
  }]}));
}

function ofTable({refId, series}) {
  const labels = [...new Set(series.flatMap(({metric}) => Object.keys(metric)))].sort();
  const last = series.map(({values}) => values.at(-1));
  return createDataFrame({refId, fields: [
    time(last),
    ...labels.map((name) => ({name, type: FieldType.string, config: {}, values: series.map(({metric}) => metric[name])})),
    {name: `Value #${refId}`, type: FieldType.number, config: {}, values: last.map(([, value]) => number(value))},
  ]});
}

async function framesOf(panel, {series, interval}) {
  onlyKnown(panel);
  const asked = panel.targets.map((target, index) => ({...target, series: series[index]}));
  const frames = panel.type === 'table' ? asked.map(ofTable) : asked.flatMap((each) => ofSeries(each, interval));
  const data = await new Promise((taken) => transformDataFrame(panel.transformations, frames).subscribe(taken));
  const {fieldConfig} = panel;
  const fields = applyFieldOverrides({data, fieldConfig, fieldConfigRegistry, theme, timeZone, replaceVariables});
  cacheFieldDisplayNames(fields);
  return fields;
}

const valuesOf = ({panel: {fieldConfig, options}, frames}) =>
  getFieldDisplayValues({fieldConfig, reduceOptions: options.reduceOptions, data: frames, theme, timeZone, replaceVariables});

function Repeated({width, height, panel, children, ...more}) {
  return <VizRepeater {...more} width={width} height={height} orientation={panel.options.orientation} source={panel}
    getValues={() => valuesOf({panel, ...more})} getAlignmentFactors={getDisplayValueAlignmentFactors} renderCounter={0}
    renderValue={children}/>;
}

const nothing = <div className="nothing">No data</div>;

const KINDS = {
  stat: (shown) => <Repeated {...shown} autoGrid>
    {({value, ...place}) => <BigValue {...place} {...shown.panel.options} theme={theme} value={value.display}/>}
  </Repeated>,

  bargauge: (shown) => <Repeated {...shown} itemSpacing={10} minVizHeight={shown.panel.options.minVizHeight}
    maxVizHeight={shown.panel.options.maxVizHeight}>
    {({value, ...place}) => <BarGauge {...place} {...shown.panel.options} orientation={place.orientation} theme={theme}
      value={value.display} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex)}
      valueDisplayMode={shown.panel.options.valueMode} itemSpacing={10}/>}
  </Repeated>,

  timeseries: ({panel, frames, width, height, timeRange}) => frames.length === 0 ? nothing
    : <TimeSeries {...{frames, width, height, timeRange, timeZone}} legend={panel.options.legend} options={panel.options}/>,

  table: ({panel, frames: [data], width, height, timeRange}) => data === undefined ? nothing
    : <TableNG {...{data, width, height, timeRange}} {...panel.options} fieldConfig={panel.fieldConfig}
      enableVirtualization={false}/>,
};

class Tried extends Component {
  state = {};
  static getDerivedStateFromError(wrong) { return {wrong}; }
  componentDidCatch(wrong) { console.error(`“${this.props.title}” could not be drawn: ${wrong.stack}`); }
  render() { return this.state.wrong ? null : this.props.children; }
}

function Panel({panel, ...shown}) {
  const {x, y, w, h} = panel.gridPos;
  const width = (w * WIDTH) / COLUMNS - GAP, height = h * (ROW + GAP) - GAP;
  const place = {position: 'absolute', left: GAP + (x * WIDTH) / COLUMNS, top: GAP + y * (ROW + GAP), width, height};
  if (panel.type === 'row') return <h2 style={place}>{panel.title}</h2>;
  const Kind = KINDS[panel.type];
  return <section style={place}>
    <PanelChrome title={panel.title} description={panel.description} width={width} height={height}
      padding={panel.type === 'table' ? 'none' : 'md'}>
      {(width, height) => <Tried title={panel.title}><Kind {...{panel, width, height, ...shown}}/></Tried>}
    </PanelChrome>
  </section>;
}

// JSON knows no infinity: the first step of thresholds has none to begin at, and begins below everything.
const beginsBelow = (key, value) =>
  key === 'steps' ? value.map((step) => ({...step, value: step.value ?? -Infinity})) : value;

async function draw() {
  const {board, answers, from, to} = JSON.parse(await (await fetch('board.json')).text(), beginsBelow);
  const timeRange = {from: dateTime(from), to: dateTime(to), raw: {from: dateTime(from), to: dateTime(to)}};
  const panels = [];
  for (const panel of board.panels) {
    const frames = panel.type === 'row' ? [] : await framesOf(panel, answers[panel.id]);
    panels.push(<Panel key={panel.id} {...{panel, frames, timeRange}}/>);
  }
  await Promise.all(['400', '500'].map((weight) => document.fonts.load(`${weight} 14px Inter`)));
  const root = createRoot(document.getElementById('board'));
  flushSync(() => root.render(<ThemeContext.Provider value={theme}><GlobalStyles/>{panels}</ThemeContext.Provider>));
  console.log('The board is drawn.');
}

draw();
