# Visage for others to look at: on the CPU, not as root, and read-only unless told otherwise.
#
#   docker build -t visage .
#   docker run -p 8501:8501 visage
#   docker run -p 8501:8501 -e VISAGE_READ_ONLY= -v visage:/visage visage    # to train and upload

FROM python:3.11-slim

ENV PIP_NO_CACHE_DIR=1 PYTHONUNBUFFERED=1

# Where your index has torch with CUDA only, name one that has it for the CPU alone, a tenth of the
# size: --build-arg PIP_EXTRA_INDEX_URL=…
ARG PIP_EXTRA_INDEX_URL

# Before the app, so that a change of it does not install torch anew.
WORKDIR /tmp/visage
COPY requirements.txt .
RUN pip install -r requirements.txt

COPY . .
RUN pip install --no-deps . && rm -rf /tmp/visage

RUN useradd --create-home visage && install -d -o visage /visage
USER visage
# data/ and runs/ lie here.
WORKDIR /visage
VOLUME /visage

ENV VISAGE_READ_ONLY=1
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://localhost:8501/_stcore/health', timeout=4)"]
CMD ["visage", "app", "--server.address=0.0.0.0", "--server.port=8501", "--server.headless=true"]
