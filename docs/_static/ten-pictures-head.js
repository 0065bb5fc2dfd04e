// The head of the few-shot learner: softmax regression with an L2 penalty, which is bitdoc.studies.probe, trained in the
// page. Also nearest neighbors among the same numbers. A browser test holds both against the package.
(() => {
  "use strict";

  // Numbers that describe pictures, one row each, made ready for learning from the rows `few`: every column gets mean 0
  // and spread 1 over these rows. A column that is constant in them can teach nothing and is left out.
  function standardized(values, width, few) {
    const mean = new Float64Array(width), scale = new Float64Array(width), rows = values.length / width;
    for (const r of few) for (let d = 0; d < width; d += 1) mean[d] += values[r * width + d] / few.length;
    for (const r of few) for (let d = 0; d < width; d += 1) scale[d] += (values[r * width + d] - mean[d]) ** 2 / few.length;
    for (let d = 0; d < width; d += 1) scale[d] = scale[d] > 1e-12 ? 1 / (Math.sqrt(scale[d]) + 1e-6) : 0;
    const out = new Float32Array(values.length);
    for (let r = 0; r < rows; r += 1) {
      for (let d = 0; d < width; d += 1) out[r * width + d] = (values[r * width + d] - mean[d]) * scale[d];
    }
    return out;
  }

  // Products of every row with each of the rows `few`: rows x few.
  function products(z, width, few) {
    const rows = z.length / width, out = new Float32Array(rows * few.length);
    for (let r = 0; r < rows; r += 1) {
      for (let j = 0; j < few.length; j += 1) {
        const a = r * width, b = few[j] * width;
        let sum = 0;
        for (let d = 0; d < width; d += 1) sum += z[a + d] * z[b + d];
        out[r * few.length + j] = sum;
      }
    }
    return out;
  }

  function largestEigenvalue(k, n) {
    let v = Float64Array.from({ length: n }, (_, i) => 1 + (i % 7) / 7), norm = 0;
    for (let step = 0; step < 30; step += 1) {
      const next = new Float64Array(n);
      for (let i = 0; i < n; i += 1) for (let j = 0; j < n; j += 1) next[i] += k[i * n + j] * v[j];
      norm = Math.hypot(...next);
      if (!norm) return 0;
      v = next.map((x) => x / norm);
    }
    return norm;
  }

  function softmax(logits) {
    const top = Math.max(...logits), e = logits.map((x) => Math.exp(x - top));
    const sum = e.reduce((a, b) => a + b, 0);
    return e.map((x) => x / sum);
  }

  // Weights of a head are sums of training pictures: column c is the sum over pictures i of a[i][c] times picture i. So
  // the n x classes numbers `a` say all, and a step of gradient descent on the weights is one on `a`; that is quick.
  class Head {
    constructor(values, width, few, labels, classes, penalty) {
      this.few = few;
      this.labels = labels;
      this.classes = classes;
      this.penalty = penalty;
      const n = few.length, z = standardized(values, width, few);
      this.all = products(z, width, few);
      this.squares = Float64Array.from({ length: z.length / width }, (_, r) => {
        let sum = 0;
        for (let d = r * width; d < (r + 1) * width; d += 1) sum += z[d] * z[d];
        return sum;
      });
      const own = new Float64Array(n * n);
      few.forEach((r, i) => own.set(this.all.subarray(r * n, (r + 1) * n), i * n));
      // The loss bends at most so much: half the largest eigenvalue from the data, twice the penalty. Steps of one over
      // that never climb. The offsets bend by a half at most, and columns of mean 0 keep them apart from the weights.
      this.rate = 1 / (0.525 * largestEigenvalue(own, n) / n + 2 * penalty);
      this.own = own;
      this.a = new Float64Array(n * classes);
      this.offsets = new Float64Array(classes);
      this.steps = 0;
    }

    logits(row, k = this.all) {
      const n = this.few.length, out = Array.from(this.offsets);
      for (let j = 0; j < n; j += 1) {
        for (let c = 0; c < this.classes; c += 1) out[c] += k[row * n + j] * this.a[j * this.classes + c];
      }
      return out;
    }

    // One step of gradient descent; returns the largest change of a logit's share, which goes to 0.
    step() {
      const n = this.few.length, { classes } = this, pull = new Float64Array(n * classes), sums = new Float64Array(classes);
      for (let i = 0; i < n; i += 1) {
        softmax(this.logits(i, this.own)).forEach((p, c) => {
          const error = (p - (this.labels[i] === c)) / n;
          sums[c] += error;
          pull[i * classes + c] = error + 2 * this.penalty * this.a[i * classes + c];
        });
      }
      let largest = 0;
      for (let i = 0; i < pull.length; i += 1) {
        this.a[i] -= this.rate * pull[i];
        largest = Math.max(largest, Math.abs(pull[i]) * n);
      }
      for (let c = 0; c < classes; c += 1) {
        this.offsets[c] -= 2 * sums[c];
        largest = Math.max(largest, Math.abs(sums[c]));
      }
      this.steps += 1;
      return largest;
    }

    // To the bottom of the valley; there is one, because the penalty makes the loss convex.
    finish(limit = 3000) {
      while (this.steps < limit && this.step() > 1e-5);
      return this;
    }

    probabilities(row) {
      return softmax(this.logits(row));
    }

    name(row) {
      const logits = this.logits(row);
      return logits.indexOf(Math.max(...logits));
    }

    // Training pictures in the order of likeness to a row: the cosine of the angle between the two.
    neighbors(row) {
      const n = this.few.length;
      const likeness = this.few.map((r, j) => this.all[row * n + j] / (Math.sqrt(this.squares[row] * this.squares[r]) || 1));
      return this.few.map((r, j) => ({ row: r, label: this.labels[j], likeness: likeness[j] }))
        .sort((a, b) => b.likeness - a.likeness);
    }
  }

  window.tenPictures = Object.assign(window.tenPictures ?? {}, { Head, softmax });
})();
