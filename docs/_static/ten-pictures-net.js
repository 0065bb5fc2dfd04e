// BiT's network in plain JavaScript: root, four stages of pre-activation bottlenecks, norm, ReLU, mean over positions.
// It is bitdoc.network.resnet.ResNetV2 without its head; a browser test holds both together. The weights come from
// bitdoc/studies/fewshot/page_files.py. Everything that computes stands in one function, whose text is also the worker.
(() => {
  "use strict";

  function networkCode() {
    const EPS = 1e-5, WS_EPS = 1e-10;
    const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

    // Python's base64.b85encode undone: five characters are four bytes, the highest first.
    function decode85(text) {
      const values = new Uint8Array(128);
      for (let i = 0; i < 85; i += 1) values[ALPHABET.charCodeAt(i)] = i;
      const bytes = new Uint8Array((text.length / 5) * 4);
      for (let i = 0, o = 0; i < text.length; i += 5, o += 4) {
        let word = 0;
        for (let k = 0; k < 5; k += 1) word = word * 85 + values[text.charCodeAt(i + k)];
        bytes[o] = word >>> 24;
        bytes[o + 1] = (word >>> 16) & 255;
        bytes[o + 2] = (word >>> 8) & 255;
        bytes[o + 3] = word & 255;
      }
      return bytes;
    }

    // Weight standardization: every filter gets mean 0 and standard deviation 1 over its inputs.
    function standardize(filters, count) {
      const out = new Float32Array(filters.length), size = filters.length / count;
      for (let o = 0; o < count; o += 1) {
        let mean = 0, variance = 0;
        for (let i = o * size; i < (o + 1) * size; i += 1) mean += filters[i] / size;
        for (let i = o * size; i < (o + 1) * size; i += 1) variance += (filters[i] - mean) ** 2 / size;
        const scale = 1 / Math.sqrt(variance + WS_EPS);
        for (let i = o * size; i < (o + 1) * size; i += 1) out[i] = (filters[i] - mean) * scale;
      }
      return out;
    }

    // Maps are { data, channels, side }: channel after channel, row after row.
    // For each place of the output, the values under the filter in one row; outside the picture there are zeros.
    function patches({ data, channels, side }, kernel, stride) {
      const pad = (kernel - 1) >> 1, out = Math.floor((side + 2 * pad - kernel) / stride) + 1;
      const width = channels * kernel * kernel, rows = new Float32Array(out * out * width);
      for (let y = 0; y < out; y += 1) {
        for (let x = 0; x < out; x += 1) {
          let at = (y * out + x) * width;
          for (let c = 0; c < channels; c += 1) {
            for (let ky = 0; ky < kernel; ky += 1) {
              const row = y * stride + ky - pad;
              for (let kx = 0; kx < kernel; kx += 1, at += 1) {
                const column = x * stride + kx - pad;
                if (row >= 0 && row < side && column >= 0 && column < side) rows[at] = data[(c * side + row) * side + column];
              }
            }
          }
        }
      }
      return { rows, out, width };
    }

    function convolve(maps, { filters, count, kernel }, stride) {
      const { rows, out, width } = patches(maps, kernel, stride), places = out * out;
      const data = new Float32Array(count * places);
      for (let p = 0; p < places; p += 4) { // four places at a time (there are 4 at least): a filter is read once for all
        const a = p * width, b = a + width, c = b + width, d = c + width;
        for (let o = 0; o < count; o += 1) {
          const f = o * width;
          let sa = 0, sb = 0, sc = 0, sd = 0;
          for (let i = 0; i < width; i += 1) {
            const w = filters[f + i];
            sa += w * rows[a + i];
            sb += w * rows[b + i];
            sc += w * rows[c + i];
            sd += w * rows[d + i];
          }
          const at = o * places + p;
          data[at] = sa;
          data[at + 1] = sb;
          data[at + 2] = sc;
          data[at + 3] = sd;
        }
      }
      return { data, channels: count, side: out };
    }

    // Group norm with its scale and offset for each channel, then ReLU.
    function normalizeAndRectify({ data, channels, side }, { scale, offset }, groups) {
      const out = new Float32Array(data.length), area = side * side, size = data.length / groups;
      for (let g = 0; g < groups; g += 1) {
        const start = g * size, end = start + size;
        let mean = 0, variance = 0;
        for (let i = start; i < end; i += 1) mean += data[i];
        mean /= size;
        for (let i = start; i < end; i += 1) variance += (data[i] - mean) ** 2;
        const inverse = 1 / Math.sqrt(variance / size + EPS);
        for (let i = start; i < end; i += 1) {
          const c = Math.floor(i / area);
          out[i] = Math.max(0, (data[i] - mean) * inverse * scale[c] + offset[c]);
        }
      }
      return { data: out, channels, side };
    }

    // A ring of zeros, which take part in the maximum, then the largest of 3 x 3 at every second place.
    function pool({ data, channels, side }) {
      const out = Math.floor((side - 1) / 2) + 1, result = new Float32Array(channels * out * out);
      for (let c = 0, at = 0; c < channels; c += 1) {
        for (let y = 0; y < out; y += 1) {
          for (let x = 0; x < out; x += 1, at += 1) {
            let largest = -Infinity;
            for (let row = 2 * y - 1; row < 2 * y + 2; row += 1) {
              for (let column = 2 * x - 1; column < 2 * x + 2; column += 1) {
                const inside = row >= 0 && row < side && column >= 0 && column < side;
                largest = Math.max(largest, inside ? data[(c * side + row) * side + column] : 0);
              }
            }
            result[at] = largest;
          }
        }
      }
      return { data: result, channels, side: out };
    }

    class Network {
      // weights: what page_files.py wrote. Filters are standardized once, here.
      constructor(weights) {
        this.blocks = weights.blocks;
        this.groups = weights.groups;
        this.parts = new Map();
        const bytes = decode85(weights.data), kinds = { i1: Int8Array, i2: Int16Array, f4: Float32Array };
        let at = 0;
        for (const [name, shape, kind] of weights.layers) {
          const length = shape.reduce((a, b) => a * b) * Number(kind[1]);
          const values = new kinds[kind](bytes.slice(at, at + length).buffer);
          at += length;
          this.parts.set(name, shape.length === 4
            ? { filters: standardize(values, shape[0]), count: shape[0], kernel: shape[2] }
            : { scale: values.subarray(0, shape[1]), offset: values.subarray(shape[1]) });
        }
      }

      block(x, name, stride) {
        const part = (key) => this.parts.get(`${name}.${key}`);
        const active = normalizeAndRectify(x, part("norm_a"), this.groups);
        const shortcut = part("proj") ? convolve(active, part("proj"), stride) : x;
        let y = convolve(active, part("conv_a"), 1);
        y = convolve(normalizeAndRectify(y, part("norm_b"), this.groups), part("conv_b"), stride);
        y = convolve(normalizeAndRectify(y, part("norm_c"), this.groups), part("conv_c"), 1);
        for (let i = 0; i < y.data.length; i += 1) y.data[i] += shortcut.data[i];
        return y;
      }

      // Pooled features of one square picture: bytes red, green, blue, opacity, pixel after pixel.
      features(rgba) {
        const area = rgba.length / 4, data = new Float32Array(3 * area);
        for (let c = 0; c < 3; c += 1) {
          for (let i = 0; i < area; i += 1) data[c * area + i] = rgba[4 * i + c] / 127.5 - 1;
        }
        let x = pool(convolve({ data, channels: 3, side: Math.sqrt(area) }, this.parts.get("root.conv"), 2));
        this.blocks.forEach((count, stage) => {
          for (let unit = 0; unit < count; unit += 1) x = this.block(x, `stages.${stage}.${unit}`, stage && !unit ? 2 : 1);
        });
        x = normalizeAndRectify(x, this.parts.get("norm"), this.groups);
        const places = x.side * x.side, means = new Float32Array(x.channels);
        for (let i = 0; i < x.data.length; i += 1) means[Math.floor(i / places)] += x.data[i] / places;
        return means;
      }
    }

    // In the worker: first the weights come, then pictures, each with a number.
    function serve() {
      let network = null;
      self.onmessage = ({ data: { id, weights, rgba } }) => {
        if (weights) network = new Network(weights);
        self.postMessage({ id, features: rgba ? network.features(rgba) : null });
      };
    }

    return { Network, decode85, serve };
  }

  const code = networkCode();

  // The network in a worker; where a page may start none, in the page itself, a picture at a time.
  class Runner {
    constructor(weights, inPage = false) {
      this.waiting = new Map();
      this.count = 0;
      this.weights = weights;
      try {
        if (inPage) throw new Error("asked to stay in the page");
        const url = URL.createObjectURL(new Blob([`(${networkCode})().serve();`], { type: "text/javascript" }));
        this.worker = new Worker(url);
        this.worker.onmessage = ({ data }) => {
          this.waiting.get(data.id)[0](data.features);
          this.waiting.delete(data.id);
        };
        this.worker.onerror = () => this.withoutWorker();
        this.ask({ weights });
      } catch {
        this.withoutWorker();
      }
    }

    withoutWorker() {
      this.worker?.terminate();
      this.worker = null;
      const open = [...this.waiting.values()];
      this.waiting.clear();
      for (const [done, failed, message] of open) this.ask(message).then(done, failed);
    }

    ask(message) {
      return new Promise((done, failed) => {
        if (this.worker) {
          this.count += 1;
          this.waiting.set(this.count, [done, failed, message]);
          this.worker.postMessage({ id: this.count, ...message });
        } else {
          setTimeout(() => { // the page draws in between
            try {
              this.network ??= new code.Network(this.weights);
              done(message.rgba ? this.network.features(message.rgba) : null);
            } catch (error) {
              failed(error);
            }
          });
        }
      });
    }

    features(rgba) {
      return this.ask({ rgba });
    }
  }

  window.tenPictures = Object.assign(window.tenPictures ?? {}, { Network: code.Network, Runner, decode85: code.decode85 });
})();
